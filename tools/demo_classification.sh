#!/usr/bin/env bash
# Shows classification learning, by the ordinary tools: a made set, training, accuracy, one image of each class.
# Needs MMPretrain: docs/classification.md.
set -euo pipefail
cd "$(dirname "$0")/.."

name=dy-mobilenetv2-x0.35_1xb16-10e_folder-64x64
config=configs/classification/small/$name.py
out=outputs/demo_classification
step() { printf '\n== %s (%d:%02d)\n' "$1" $((SECONDS / 60)) $((SECONDS % 60)); }

step '1 of 4: making the set'
python tools/dataset_converters/make_class_folders.py --out data/classes

step '2 of 4: training MobileNetV2 x0.35 with dynamic convolution'
rm -rf "$out"
python tools/train.py "$config" --work-dir "$out/train"

step '3 of 4: accuracy on the held-out images'
checkpoint=$out/train/epoch_10.pth
python tools/test.py "$config" "$checkpoint" --work-dir "$out/test" --out "$out/metrics.json"

step '4 of 4: one image of each class'
python tools/classify.py "$config" "$checkpoint" data/classes/val/*/0.png --topk 2

step "done: the accuracy is in $out/metrics.json"
