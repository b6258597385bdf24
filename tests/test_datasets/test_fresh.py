"""Drawn people without end: what an epoch holds follows from seed and epoch alone."""

import numpy as np
import pytest
from mmengine.runner import Runner
from mmpose.registry import DATASETS

from dyconv_pose.datasets.fresh import FreshSampler, draw_person
from dyconv_pose.datasets.synthetic.coco import sample_rng
from dyconv_pose.datasets.synthetic.scene import render_sample

PIPELINE = [dict(type='LoadImage'), dict(type='GetBBoxCenterScale'), dict(type='TopdownAffine', input_size=(48, 64))]
PIPELINE += [dict(type='PackPoseInputs')]


def build(num_persons=3, seed=5):
    return DATASETS.build(
        dict(type='DrawnPeopleDataset', num_persons=num_persons, seed=seed, pipeline=PIPELINE, _scope_='mmpose')
    )


def test_a_picture_follows_from_seed_and_number():
    first, again, other = draw_person(3, 7), draw_person(3, 7), draw_person(3, 8)
    np.testing.assert_array_equal(first[0], again[0])
    assert first[1] == again[1]
    assert first[0].shape != other[0].shape or (first[0] != other[0]).any()
    scored = render_sample(sample_rng(3, 'val2017', 7))[0]  # what is scored with the same seed is another picture
    assert first[0].shape != scored.shape or (first[0] != scored).any()


def test_person_and_picture_belong_together():
    dataset = build()
    info = dataset.get_data_info(2)
    picture, person = draw_person(5, 2)
    np.testing.assert_array_equal(info['img'], picture)
    np.testing.assert_allclose(
        info['keypoints'][0].flatten(), np.reshape(person['keypoints'], (17, 3))[:, :2].flatten()
    )
    assert info['flip_indices'][1] == 2  # COCO's keypoints
    assert len(dataset) == 3


def test_an_epoch_begins_where_the_last_ended():
    sampler = FreshSampler(build(), shuffle=False)
    epochs = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        epochs.append(list(sampler))
    assert epochs == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


@pytest.mark.parametrize('workers', [0, pytest.param(1, marks=pytest.mark.slow)])
def test_loaders_draw_other_people_every_epoch(workers):
    loader = Runner.build_dataloader(
        dict(
            batch_size=2,
            num_workers=workers,
            persistent_workers=workers > 0,
            sampler=dict(type='FreshSampler', shuffle=False, _scope_='mmpose'),
            dataset=build(2),
        )
    )
    seen = []
    for epoch in (0, 1, 0):
        loader.sampler.set_epoch(epoch)
        seen.append(np.concatenate([np.stack([np.asarray(x) for x in batch['inputs']]) for batch in loader]))
    assert (seen[0] != seen[1]).any()
    np.testing.assert_array_equal(seen[0], seen[2])  # a resumed run sees what it would have seen


def test_numbers_out_of_range():
    with pytest.raises(ValueError, match='at least 1 and seed'):
        build(num_persons=0)
