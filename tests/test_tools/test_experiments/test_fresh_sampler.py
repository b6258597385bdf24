"""Other samples in every epoch: which ones follows from seed and epoch alone."""

import pytest
from experiments import fresh_sampler
from experiments.fresh_sampler import FreshSampler
from hypothesis import given
from hypothesis import strategies as st
from mmengine.runner import Runner


def epochs_of(sampler, number):
    drawn = []
    for epoch in range(number):
        sampler.set_epoch(epoch)
        drawn.append(list(sampler))
        assert len(drawn[-1]) == len(sampler)
    return drawn


@given(size=st.integers(1, 40), data=st.data(), seed=st.integers(0, 2**31 - 1))
def test_all_come_once_before_any_comes_twice(size, data, seed):
    sampler = FreshSampler(range(size), data.draw(st.integers(1, size)), seed)
    drawn = [index for epoch in epochs_of(sampler, 2 * size) for index in epoch]
    for begin in range(0, len(drawn) - size, size):
        assert sorted(drawn[begin : begin + size]) == list(range(size))


def test_seed_and_epoch_decide():
    drawn = epochs_of(FreshSampler(range(90), 30, seed=1), 5)
    resumed = FreshSampler(range(90), 30, seed=1)
    resumed.set_epoch(4)
    assert list(resumed) == drawn[4] != drawn[1]  # in a second order, not the first once more
    assert epochs_of(FreshSampler(range(90), 30, seed=2), 5) != drawn


def test_processes_share_an_epoch(monkeypatch):
    parts = []
    for rank in range(2):
        monkeypatch.setattr(fresh_sampler, 'get_dist_info', lambda rank=rank: (rank, 2))
        parts.append(epochs_of(FreshSampler(range(9), 3, seed=1), 2))
    monkeypatch.undo()
    # Three are rounded up to two for each.
    for (first, third), (second, fourth), whole in zip(*parts, epochs_of(FreshSampler(range(9), 4, 1), 2), strict=True):
        assert [first, second, third, fourth] == whole


def test_from_a_config():
    loader = Runner.build_dataloader(
        dict(
            batch_size=2,
            num_workers=0,
            sampler=dict(type='FreshSampler', num_samples=4, _scope_='mmpose'),
            dataset=list(range(12)),
        ),
        seed=3,
    )
    seen = []
    for epoch in range(3):
        loader.sampler.set_epoch(epoch)
        seen += [int(number) for batch in loader for number in batch]
    assert sorted(seen) == list(range(12))


@pytest.mark.parametrize('number', [0, 4])
def test_numbers_out_of_range(number):
    with pytest.raises(ValueError, match=f'from 1 to the 3 samples of the dataset, got {number}'):
        FreshSampler(range(3), number)
