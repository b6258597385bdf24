"""Means, intervals and paired differences against scipy's own test and textbook values."""

import numpy as np
import pytest
from dyconv_pose.experiments.statistics import paired_differences, summarise
from scipy import stats


def test_interval_is_that_of_the_paired_t_test():
    rng = np.random.default_rng(0)
    old = rng.normal(0.5, 0.1, 6)
    new = old + rng.normal(0.02, 0.01, 6)
    test = stats.ttest_rel(new, old)
    differences = paired_differences(dict(enumerate(new)), dict(enumerate(old)))
    for confidence in (0.8, 0.95, 1 - test.pvalue - 1e-9, 1 - test.pvalue + 1e-9):
        summary = summarise(list(differences.values()), confidence)
        expected = test.confidence_interval(confidence)
        assert summary.interval == pytest.approx((expected.low, expected.high))
        assert summary.excludes_zero == (test.pvalue < 1 - confidence)
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
    with pytest.raises(ValueError, match='between 0 and 1'):
        summarise([1.0, 2.0], confidence=95)
