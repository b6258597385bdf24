#!/usr/bin/env bash
# Usage: tools/dist_train.sh CONFIG PROCESSES [options of train.py]
# One process per GPU; on a machine without a GPU the processes share the CPU through gloo.
set -euo pipefail
if [ $# -lt 2 ]; then
    sed -n '/^# Usage/,/^[^#]/s/^# //p' "$0" >&2
    exit 2
fi
config=$1
processes=$2
torchrun --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --nproc_per_node="$processes" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    "$(dirname "$0")/train.py" "$config" --launcher pytorch "${@:3}" || {
    status=$?
    echo 'error: a process of this job ended with an error or was killed, and the others with it;' \
        'what it said is above; go on with --resume' >&2
    exit $status
}
