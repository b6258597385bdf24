#!/usr/bin/env bash
# What docs/operator.md shows of whole networks: about eight minutes on two cores that do nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."

cost() { ${PYTHON:-python} benchmarks/network_cost.py --out benchmarks/results/network_cost.json "$@"; }
both=('static, channels_last' 'dynamic, channels_last')

cost --batches 8 16 32 --rounds 4 --variants "${both[@]}"
cost --append --keep-memory --batches 16 --rounds 3
cost --append --keep-memory --batches 8 --rounds 4 --work --variants "${both[@]}"
cost --append --keep-memory --batches 32 64 --rounds 3 --memory --variants "${both[@]}"
cost --append --keep-memory --batches 1 --threads 1 2 --rounds 12 --in-a-row 9 --deployed --parts infer --work \
    --variants "${both[@]}" 'static, contiguous' 'dynamic, contiguous'
cost --append --keep-memory --networks res18 --batches 16 --rounds 4 --work --memory --variants "${both[@]}"
cost --append --keep-memory --backbone --batches 16 --threads 1 2 --rounds 5 --parts infer --in-a-row 2 --variants "${both[@]}"
