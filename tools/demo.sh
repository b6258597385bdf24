#!/usr/bin/env bash
# What `make demo` runs: the ordinary tools, one after the other. First the network that ships finds the persons on
# photographs; then a small one is trained. Data: data/coco where it is, else the sample set. That network starts from
# checkpoints/, since heatmaps trained from nothing take hours on two CPU cores.
set -euo pipefail
cd "$(dirname "$0")/.."

name=td-hm_dy-mobilenetv3-small-s16-bneck-narrow_demo
out=outputs/demo
step() { printf '\n\033[1m== %s (%d:%02d)\033[0m\n' "$1" $((SECONDS / 60)) $((SECONDS % 60)); }

step '1 of 6: skeletons on photographs'
python tools/infer.py demo/photographs/*.jpg --out-dir "$out/photographs"

if [ -e data/coco/annotations/person_keypoints_val2017.json ]; then
    set_name=coco
    step '2 of 6: using the photographs in data/coco'
else
    set_name=synthetic
    step '2 of 6: drawing the sample set'
    python tools/dataset_converters/make_sample_set.py --out data/synthetic --num-train 1500 --num-val 300 --seed 0
fi
config=configs/body_2d_keypoint/topdown_heatmap/$set_name/${name}_$set_name-128x96.py

step '3 of 6: training MobileNetV3-Small with dynamic convolution'
rm -rf "$out/train" "$out/test" "$out/poses"
python tools/train.py "$config" --work-dir "$out/train"

step '4 of 6: COCO AP on the held-out images'
checkpoint=$(cat "$out/train/last_checkpoint") # not the best one: that would be chosen on the images it is scored on
python tools/test.py "$config" "$checkpoint" --work-dir "$out/test" --out "$out/metrics.json"

step '5 of 6: drawing poses'
images=("data/$set_name/val2017/"*.jpg)
python tools/infer.py "$config" "$checkpoint" "${images[@]:0:40}" \
    --boxes "data/$set_name/annotations/person_keypoints_val2017.json" --out-dir "$out/poses"

step '6 of 6: the training curve'
python tools/analysis_tools/plot_training.py "$out/train" --out "$out/training.png"

step 'done'
python - "$out" <<'PYTHON'
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

out = Path(sys.argv[1])
metrics = json.loads((out / 'metrics.json').read_text())
table = Table('to look at', 'file')
table.add_row('photographs with skeletons', str(out / 'photographs' / 'overlays'))
table.add_row('sample images with poses of the network trained now', str(out / 'poses' / 'overlays'))
table.add_row('the same in COCO format', str(out / 'poses' / 'results.json'))
table.add_row('training curve', str(out / 'training.png'))
table.add_row(f'COCO figures: AP {metrics["coco/AP"]:.3f}, AR {metrics["coco/AR"]:.3f}', str(out / 'metrics.json'))
Console().print(table)
PYTHON
