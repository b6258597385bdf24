"""Samples and their seeds: pure functions of the seed and the place, for any number of processes."""

import pickle
import random

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset, DefaultSampler, InfiniteSampler
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from dyconv_pose.datasets.samplers import SeededDataset, SeededSampler, derive_seed, seed_generators, seeded_loader
from dyconv_pose.engine.loops import EndlessBatches, batches_from


@DATASETS.register_module(force=True)
class Numbers(BaseDataset):
    """Sample i is i and what each generator draws for it."""

    def load_data_list(self):
        return [dict(number=number) for number in range(10)]

    def prepare_data(self, idx):
        return idx, random.random(), np.random.rand(), torch.rand(()).item()


def dataset():
    numbers = SeededDataset(dict(type='Numbers'))
    numbers.full_init()
    return numbers


def sampler(kind='DefaultSampler', seed=7):
    return SeededSampler(dataset(), dict(type=kind, shuffle=True), seed)


def test_order_is_that_of_the_sampler():
    seeded, plain = sampler(), DefaultSampler(range(10), shuffle=True, seed=7)
    for epoch in (0, 1, 5):
        seeded.set_epoch(epoch)
        plain.set_epoch(epoch)
        assert [index for index, _ in seeded] == list(plain)


def test_samples_follow_from_their_place():
    def samples(workers, epoch=3, skipped=0):
        order = sampler()
        order.set_epoch(epoch)
        order.num_skipped = skipped
        random.seed()
        np.random.seed()
        loader = DataLoader(order_dataset, sampler=order, batch_size=3, num_workers=workers, collate_fn=list)
        return [sample for batch in loader for sample in batch]

    order_dataset = dataset()
    whole = samples(0)
    assert samples(2) == whole
    assert samples(0, skipped=6) == whole[6:]
    assert len({sample[1:] for sample in whole}) == 10
    assert not {sample[1:] for sample in whole} & {sample[1:] for sample in samples(0, epoch=4)}


def test_two_processes_share_the_samples_of_one():
    one, parts = list(sampler()), []
    for rank in (0, 1):
        part = sampler()
        for each in (part, part.sampler):
            each.rank, each.world_size = rank, 2
        part.sampler.num_samples, part.sampler.total_size = 5, 10
        parts.append(list(part))
    assert [pair for pairs in zip(*parts, strict=True) for pair in pairs] == one


@pytest.mark.parametrize('kind', ['DefaultSampler', 'InfiniteSampler'])
@pytest.mark.parametrize('done', [0, 2, 3, 4, 9])
def test_endless_batches_go_on_anywhere(kind, done):
    """Ten samples in batches of three: a pass of a finite sampler has four batches, the last of one sample."""

    def loader():
        return DataLoader(dataset(), sampler=sampler(kind), batch_size=3, collate_fn=list)

    whole, resumed = EndlessBatches(loader()), EndlessBatches(loader())
    expected = [next(whole) for _ in range(12)]
    assert len(expected[3]) == (1 if kind == 'DefaultSampler' else 3)
    resumed.skip_iter(done)
    assert [next(resumed) for _ in range(12 - done)] == expected[done:]


@pytest.mark.parametrize('kind', ['DefaultSampler', 'InfiniteSampler'])
def test_an_iterator_that_is_given_up_changes_nothing(kind):
    """As the loop of OpenMMLab's MMEngine makes one before ours does."""
    order = sampler(kind)
    expected = [pair for pair, _ in zip(order, range(10), strict=False)]
    given_up = iter(order)
    next(given_up)
    given_up.close()
    assert [pair for pair, _ in zip(order, range(10), strict=False)] == expected


def test_loader_of_another_kind_is_read_from_its_beginning():
    loader = DataLoader(list(range(10)), batch_size=3, collate_fn=list)
    assert list(batches_from(loader, 2)) == [[6, 7, 8], [9]]


def test_batch_samplers_are_left_alone():
    loader = dict(dataset=dict(type='A'), sampler=dict(type='B'))
    assert seeded_loader(loader)['sampler'] == dict(type='SeededSampler', sampler=dict(type='B'))
    assert seeded_loader(loader | dict(batch_sampler=dict(type='C'))) == loader | dict(batch_sampler=dict(type='C'))


def test_what_else_is_asked_is_asked_of_the_data_set():
    numbers = dataset()
    assert len(numbers) == 10
    assert numbers.get_data_info(3)['number'] == 3
    assert pickle.loads(pickle.dumps(numbers))[4, 1] == numbers[4, 1]
    assert not hasattr(numbers, '__getitems__')
    assert isinstance(SeededSampler(numbers, dict(type='InfiniteSampler'), 1).sampler, InfiniteSampler)


def test_slice_of_an_epoch_stays_one():
    """MMEngine's num_batch_per_epoch shows the sampler a part of the data set."""
    loader = seeded_loader(dict(dataset=dict(type='Numbers'), sampler=dict(type='DefaultSampler', shuffle=True)))
    built = Runner.build_dataloader(loader | dict(num_batch_per_epoch=2, batch_size=3, num_workers=0), seed=1)
    assert sorted(number for batch in built for number in batch[0]) == [0, 1, 2, 3, 4, 5]


def test_seeds_differ():
    assert len({derive_seed(a, b, c) for a in range(5) for b in range(5) for c in range(5)}) == 125
    seed_generators(2**64 - 1, everywhere=True)
    first = random.random(), np.random.rand(), torch.rand(()).item()
    seed_generators(2**64 - 1)
    assert (random.random(), np.random.rand(), torch.rand(()).item()) == first
