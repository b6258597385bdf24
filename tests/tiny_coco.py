"""A data set of noise in COCO's layout, and a config that trains on it in seconds: for tests of what surrounds it."""

import json
from copy import deepcopy
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from small_network import CONV_CFG, small_config

from dyconv_pose.apis import load_config

ROOT = Path(__file__).parents[1]
CONFIG = (
    ROOT / 'configs/body_2d_keypoint/topdown_heatmap/coco'
    '/td-hm_dy-mobilenetv3-small-bneck-narrow_1xb16-36e_coco+lspet-128x96.py'
)
SIDED = ('eye', 'ear', 'shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle')
NAMES = ['nose', *(f'{side}_{part}' for part in SIDED for side in ('left', 'right'))]


def coco_content(num_images=4, persons_per_image=2, seed=0):
    """Annotations that keep every rule: images of 160 x 120, persons of a medium and of a large area."""
    rng = np.random.default_rng(seed)
    images, annotations = [], []
    for image_id in range(1, num_images + 1):
        images.append(dict(id=image_id, file_name=f'{image_id:012d}.jpg', width=160, height=120))
        for person in range(persons_per_image):
            w, h = (130, 100) if person % 2 else (50, 60)
            points = np.stack([rng.integers(5, 5 + w, 17), rng.integers(5, 5 + h, 17), np.full(17, 2)], axis=1)
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=image_id,
                    category_id=1,
                    iscrowd=0,
                    bbox=[5.0, 5.0, float(w), float(h)],
                    area=0.8 * w * h,
                    keypoints=points.flatten().tolist(),
                    num_keypoints=17,
                )
            )
    return dict(images=images, annotations=annotations, categories=[dict(id=1, name='person', keypoints=NAMES)])


def edited(**changes):
    """The annotations with changes to the second one; ``None`` removes a key."""
    content = coco_content()
    for key, value in changes.items():
        if value is None:
            del content['annotations'][1][key]
        else:
            content['annotations'][1][key] = value
    return content


def every(**changes):
    """The annotations with the same changes to each."""
    content = coco_content()
    for annotation in content['annotations']:
        annotation.update(changes)
    return content


def without(key):
    """The annotations, none of which has the key."""
    content = coco_content()
    for annotation in content['annotations']:
        del annotation[key]
    return content


def write_coco(folder, num_images=4):
    """Writes training and validation images and annotations; returns the folder."""
    rng = np.random.default_rng(0)
    (folder / 'annotations').mkdir(parents=True)
    for split in ('train2017', 'val2017'):
        content = coco_content(num_images)
        (folder / split).mkdir()
        for image in content['images']:
            cv2.imwrite(str(folder / split / image['file_name']), rng.integers(0, 255, (120, 160, 3), np.uint8))
        write_annotations(folder, content, split)
    return folder


def annotation_path(folder, split='train2017'):
    return folder / 'annotations' / f'person_keypoints_{split}.json'


def write_annotations(folder, content, split='train2017'):
    annotation_path(folder, split).write_text(json.dumps(content))


def data_options(folder):
    """Overrides that make the config read the folder, with one part in place of two and no worker processes."""
    train = dict(
        _delete_=True,
        type='CocoDataset',
        data_root=f'{folder}/',
        data_mode='topdown',
        ann_file='annotations/person_keypoints_train2017.json',
        data_prefix=dict(img='train2017/'),
    )
    loader = dict(num_workers=0, persistent_workers=False, batch_size=4)
    val = loader | dict(dataset=dict(data_root=f'{folder}/'))
    metric = dict(ann_file=str(annotation_path(folder, 'val2017')))
    return dict(
        train_dataloader=loader | dict(dataset=train),
        val_dataloader=val,
        test_dataloader=val,
        val_evaluator=metric,
        test_evaluator=metric,
    )


@cache
def base_config():
    """The config with a small network, whose heatmaps are as large as those of the config's."""
    config = small_config(load_config(CONFIG), channels=(8, 8, 8))
    for part in (config.model.backbone, config.model.head):
        part.conv_cfg = dict(CONV_CFG, temperature=30)
    return config


def tiny_config(folder, work_dir, epochs=1, **options):
    """The config on the folder's data."""
    config = deepcopy(base_config())
    pipeline = config.train_dataloader.dataset.pipeline
    config.merge_from_dict(data_options(folder))
    config.train_dataloader.dataset.pipeline = pipeline
    config.merge_from_dict(
        dict(work_dir=str(work_dir), train_cfg=dict(max_epochs=epochs, val_interval=epochs), log_level='ERROR')
    )
    config.merge_from_dict(options)
    config.experiment_name = f'{Path(work_dir).name}_{np.random.randint(1 << 30)}'
    return config


def write_config(path, folder, base=None, **options):
    """Writes a config file that trains on the folder's data, by default the small network; returns its path."""
    if base is None:
        model = base_config().model
        parts = {name: dict(_delete_=True, **model[name].to_dict()) for name in ('backbone', 'head')}
        base, options = CONFIG, dict(model=parts) | options
    lines = [f'_base_ = [{str(base)!r}]']
    lines += [f'{name} = {value!r}' for name, value in (data_options(folder) | options).items()]
    lines += ["train_dataloader['dataset']['pipeline'] = _base_.train_pipeline"]
    path.write_text('\n'.join(lines) + '\n')
    return path
