"""The page on training with the whole of COCO: commands, and what is estimated of time and memory."""

import json
import math
from pathlib import Path

from dyconv_pose.datasets.coco_release import COCO_2017

from .markdown import markdown_table
from .zoo import COCO_FOLDER, cost_of

_EPOCHS, _BATCH = 210, 64
_RATES = (1, 2, 5, 10)  # sustained TFLOP/s

_PAGE = """<!-- Written by tools/make_docs.py. -->

# Training on the whole of COCO

No network of this repository has been trained on the whole of COCO yet. Everything needed for it is here; what is
said of time and memory below is an estimate, and each table says how it was made.

## 1. The data

```bash
mkdir -p data/coco && cd data/coco
curl -O http://images.cocodataset.org/zips/train2017.zip
curl -O http://images.cocodataset.org/zips/val2017.zip
curl -O http://images.cocodataset.org/annotations/annotations_trainval2017.zip
for file in *.zip; do unzip -q $file; done
cd ../..
python tools/prepare_coco.py --archives data/coco
```

The last command looks for {train:,} training and {val:,} validation images, {train_persons:,} and {val_persons:,}
persons with labelled keypoints, empty files, and the file of detector boxes, which MMPose's documentation says where
to get ({boxes:,} boxes of persons in
`{detections}`), and compares the archives' MD5 sums:

{sums}
COCO publishes no sums. These stand, alike, in the download programs of several independent public projects,
PaddlePaddle's detection library among them; for the extracted files and the detector boxes none could be
confirmed, so their contents are counted. The number of boxes is the one that public logs of evaluations show.
Without the file of detector boxes, add `--gt-boxes` everywhere; such figures are higher and not comparable with the
paper's.

## 2. Train and score

```bash
CONFIG={folder}/td-hm_dy-mobilenetv2-x0.5-bneck_8xb64-210e_coco-256x192.py

# eight GPUs: the batch of 512 for which the configs state their learning rate
tools/dist_train.sh $CONFIG 8 --amp --work-dir work_dirs/coco/dynamic --cfg-options randomness.seed=0
# one GPU: a batch of 64, the learning rate scaled to it
python tools/train.py $CONFIG --amp --auto-scale-lr --work-dir work_dirs/coco/dynamic --cfg-options randomness.seed=0
# continue after an interruption, on eight GPUs or on one
tools/dist_train.sh $CONFIG 8 --amp --work-dir work_dirs/coco/dynamic --resume
python tools/train.py $CONFIG --amp --auto-scale-lr --work-dir work_dirs/coco/dynamic --resume

python tools/test.py $CONFIG work_dirs/coco/dynamic/epoch_210.pth --out work_dirs/coco/dynamic/metrics.json
python tools/record_run.py work_dirs/coco/dynamic work_dirs/coco/dynamic/metrics.json \\
    --title "DY-MobileNetV2 x0.5, type B, on COCO" --commands "tools/dist_train.sh $CONFIG 8 --amp" \\
    --out results/coco_dy-mobilenetv2-x0.5.json
```

The static twin is the same without `dy-`: train both, with the same seeds. `--amp` is this project's choice, not the
paper's. Try a hundred iterations first
(`--cfg-options train_cfg.max_epochs=1 default_hooks.logger.interval=20 train_dataloader.dataset.indices=6400`) and read
`time`, seconds an iteration, and `data_time`, how much of them the network waited for data: `data_time` near zero
means that there are enough loading processes (`train_dataloader.num_workers`).

## 3. How long, how much memory

{epochs} epochs of {train_persons:,} persons are {iterations_one:,} iterations on one GPU, {iterations_eight:,} on
eight, at {batch} persons a GPU.

**Memory of a GPU, estimated** for {batch} persons in float32: weights, gradients and Adam's two moments (16 bytes a
parameter), and everything that the forward pass keeps for the backward pass, counted on a CPU by
`python benchmarks/training_cost.py`. The CUDA context, the convolutions' workspace and the allocator's slack come on
top, a gigabyte or two; mixed precision keeps about half as much for the backward pass.

{memory}
**Hours of one GPU, estimated** for the whole training from arithmetic alone: three times the forward pass's
operations (two per multiply-add) for each person, at a sustained rate that the GPU must be known to reach. Depthwise
convolutions are bound by memory, not arithmetic, so the rate is a small part of what a GPU is sold with; measure
`time` as above before believing any column. Eight GPUs take an eighth, if the data come fast enough.

{hours}
**Loading, measured:** one process prepares a person for training at 256x192 in {loading:.1f} ms of CPU time
({machine}; photographs stored at up to 640 pixels), {per_core:.0f} persons a second per core. {epochs} epochs are
{core_hours:.0f} core hours of it, whatever the GPU; a GPU that trains 1,000 persons a second needs {cores:.0f} such
cores to keep up.

Record: [`benchmarks/results/training_cost.json`](../benchmarks/results/training_cost.json). {versions}.
"""


def coco_run_page(root: Path) -> str:
    """The page, from what was counted and measured.

    Args:
        root: The project's folder.

    Returns:
        Markdown.
    """
    cost = json.loads((root / 'benchmarks/results/training_cost.json').read_text())
    train, val = COCO_2017.splits
    memory, hours = [], []
    for config, figures in cost['networks'].items():
        link = f'[`{config}`](../{COCO_FOLDER.as_posix()}/{config}.py)'
        kept = _BATCH * figures['per_person']
        memory.append(
            [link, f'{figures["parameters"] / 1e6:.2f}M']
            + [f'{part / 1e9:.2f} GB' for part in (figures['state'], kept, figures['state'] + kept)]
        )
        madds = cost_of(root / COCO_FOLDER / f'{config}.py').madds
        operations = 3 * 2 * madds * train.persons * _EPOCHS
        hours.append([link, f'{madds / 1e6:.0f}M', *(f'{operations / (rate * 1e12) / 3600:.0f}' for rate in _RATES)])
    seconds = cost['loading_cpu_seconds']
    return _PAGE.format(
        train=train.images,
        val=val.images,
        train_persons=train.persons,
        val_persons=val.persons,
        detections=COCO_2017.detections,
        boxes=COCO_2017.boxes,
        sums=markdown_table(['archive', 'MD5'], [[f'`{name}`', f'`{md5}`'] for name, md5 in COCO_2017.md5.items()]),
        folder=COCO_FOLDER.as_posix(),
        epochs=_EPOCHS,
        batch=_BATCH,
        iterations_one=-(-train.persons // _BATCH) * _EPOCHS,
        iterations_eight=-(-train.persons // (8 * _BATCH)) * _EPOCHS,
        memory=markdown_table(['config', 'params', 'state', f'kept for {_BATCH} persons', 'together'], memory),
        hours=markdown_table(['config', 'MAdds', *(f'at {rate} TFLOP/s' for rate in _RATES)], hours),
        loading=1000 * seconds,
        machine=cost['machine'],
        per_core=1 / seconds,
        core_hours=seconds * train.persons * _EPOCHS / 3600,
        cores=math.ceil(1000 * seconds),
        versions=', '.join(f'{name} {number}' for name, number in cost['versions'].items()),
    )
