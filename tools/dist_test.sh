#!/usr/bin/env bash
# Usage: tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [options of test.py]
# One process per GPU; on a machine without a GPU the processes share the CPU through gloo.
set -euo pipefail
if [ $# -lt 3 ]; then
    sed -n '/^# Usage/,/^[^#]/s/^# //p' "$0" >&2
    exit 2
fi
config=$1
checkpoint=$2
processes=$3
torchrun --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --nproc_per_node="$processes" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    "$(dirname "$0")/test.py" "$config" "$checkpoint" --launcher pytorch "${@:4}" || {
    status=$?
    echo 'error: a process of this job ended with an error or was killed, and the others with it;' \
        'what it said is above; start it again' >&2
    exit $status
}
