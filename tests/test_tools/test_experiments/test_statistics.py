"""Means, intervals and paired differences against scipy's own test and textbook values."""

import numpy as np
import pytest
from experiments.report import paired_differences, paired_similarity, summarise
from scipy import stats


def test_interval_is_that_of_the_paired_t_test():
    rng = np.random.default_rng(0)
    old = rng.normal(0.5, 0.1, 6)
    new = old + rng.normal(0.02, 0.01, 6)
    test = stats.ttest_rel(new, old)
    differences = paired_differences(dict(enumerate(new)), dict(enumerate(old)))
    summary, expected = summarise(list(differences.values())), test.confidence_interval(0.95)
    assert summary.interval == pytest.approx((expected.low, expected.high))
    assert summary.excludes_zero == (test.pvalue < 0.05)
    assert summary.spread == pytest.approx(np.std(new - old, ddof=1))


def test_textbook():
    summary = summarise([1.0, 2.0, 3.0])
    assert (summary.count, summary.mean, summary.spread) == (3, 2.0, 1.0)
    assert summary.interval[1] == pytest.approx(2 + 4.302653 / 3**0.5, abs=1e-5)  # t of two degrees of freedom


def test_one_value_has_no_interval():
    summary = summarise([0.3])
    assert (summary.spread, summary.interval, summary.excludes_zero) == (None, None, False)


def test_only_seeds_of_both_are_paired():
    assert paired_differences({0: 3.0, 1: 1.0, 5: 0.0}, {1: 0.5, 0: 1.0, 7: 9.0}) == {0: 2.0, 1: 0.5}


def test_mistakes():
    with pytest.raises(ValueError, match='at least one'):
        summarise([])


def test_similarities_are_paired_by_person_and_seed():
    rng, persons = np.random.default_rng(0), [str(number) for number in range(400)]
    old = {seed: rng.uniform(0, 1, 400) for seed in (0, 1)}  # far more spread than what differs
    new = {seed: values + rng.normal(0.02, 0.1, 400) for seed, values in old.items()}
    records = [
        dict(network=name, seed=seed, persons=dict(zip(persons, values, strict=True)))
        for name, found in (('new', new), ('old', old | {2: old[0]}))
        for seed, values in found.items()
    ]
    summary, differences = paired_similarity(records, 'new', 'old', 4000), np.array([new[0] - old[0], new[1] - old[1]])
    assert summary.mean == pytest.approx(100 * differences.mean())
    low, high = summary.interval
    assert low < summary.mean < high and summary.excludes_zero
    # by the persons alone it would be at least that of 800 independent differences
    assert high - low > 0.95 * 2 * 1.96 * 100 * 0.1 / 800**0.5
    assert high - low < 4
    assert paired_similarity(records, 'new', 'neither') is None
