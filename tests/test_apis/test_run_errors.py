"""Errors of the processes that load data, in one sentence."""

import pytest

from dyconv_pose.apis.runner import describe_run_error, last_error


def raised_in_worker(error):
    """What PyTorch raises for an error of a worker process."""
    from torch._utils import ExceptionWrapper

    try:
        try:
            raise error
        except type(error):
            wrapper = ExceptionWrapper(where='in DataLoader worker process 0')
        wrapper.reraise()
    except Exception as wrapped:
        return wrapped


@pytest.mark.parametrize('error', [KeyError('bbox'), TypeError('no\n  good'), ZeroDivisionError('by zero')])
def test_other_errors_of_a_worker(error):
    sentence = describe_run_error(raised_in_worker(error), 'config.py')
    assert type(error).__name__ in sentence
    assert 'File "' not in sentence and '\n' not in sentence
    assert 'tools/dataset_converters/check_dataset.py config.py' in sentence


def test_dead_worker():
    for text in (
        'DataLoader worker (pid(s) 12, 13) exited unexpectedly',
        'DataLoader worker (pid 12) is killed by signal: Killed. ',
    ):
        sentence = describe_run_error(RuntimeError(text))
        assert 'process died' in sentence and 'num_workers' in sentence
    assert 'killed by signal: Killed' in sentence


def test_errors_of_our_own_code_keep_their_frames():
    for error in (RuntimeError('shapes differ'), KeyError('a'), ValueError('loading is not mentioned')):
        assert describe_run_error(error) is None


def test_last_error_of_a_chain_counts():
    text = (
        'Caught ValueError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n'
        '  File "a.py", line 1, in a\n    f()\n    ^^^\nKeyError: 1\n\nDuring handling of the above exception, '
        'another exception occurred:\n\nTraceback (most recent call last):\n  File "b.py", line 1, in b\n'
        'ValueError: two\n lines\n'
    )
    assert last_error(text) == 'ValueError: two\n lines'
