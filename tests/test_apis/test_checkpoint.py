"""Untrusted checkpoints: what may be read, what is refused, and that nothing in a file runs."""

import io
import os
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from model_converters.publish_model import publish
from small_network import CONFIG, ROOT
from torch import nn

from dyconv_pose.apis import load_config, load_estimator, load_weights, read_checkpoint
from dyconv_pose.apis import test as score

#: The topic of what is counted here.
REFUSED = 'malicious checkpoints refused'

pytestmark = pytest.mark.filterwarnings('ignore:Detected pickle protocol')


class RunsCommand:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.system, (f'touch {self.target}',)


def network():
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))


def write_raw(path, pickled):
    """A file of torch.save's zip layout around a pickle of our own."""
    torch.save({'a': torch.zeros(1)}, path)
    whole = zipfile.ZipFile(path)
    contents = {name: whole.read(name) for name in whole.namelist()}
    whole.close()
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in contents.items():
            archive.writestr(name, pickled if name.endswith('data.pkl') else content)


@pytest.mark.parametrize('is_zip', [True, False], ids=['zip', 'legacy'])
@pytest.mark.parametrize('protocol', [2, 4])
def test_code_in_a_checkpoint_does_not_run(tmp_path, is_zip, protocol, record):
    target, path = tmp_path / 'ran', tmp_path / 'evil.pth'
    evil = {'state_dict': network().state_dict(), 'meta': RunsCommand(target)}
    torch.save(evil, path, pickle_protocol=protocol, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(ValueError, match='--trust-checkpoint'):
        read_checkpoint(path)
    assert not target.exists()
    record(REFUSED, **{f'command, protocol {protocol}, {"zip" if is_zip else "legacy"}': 1})
    read_checkpoint(path, trust=True)  # the oracle can fail: the attack works where it is let
    assert target.exists()


def test_bare_pickle_does_not_run(tmp_path, record):
    target, path = tmp_path / 'ran', tmp_path / 'evil.pth'
    path.write_bytes(pickle.dumps(RunsCommand(target)))
    with pytest.raises(ValueError, match='--trust-checkpoint'):
        read_checkpoint(path)
    assert not target.exists()
    record(REFUSED, **{'bare pickle': 1})


# getattr(__import__('os'), 'system')('touch ...') in pickle opcodes, by the names that Python 2 and 3 use.
@pytest.mark.parametrize('module', ['builtins', '__builtin__'])
def test_getattr_gives_nothing_that_can_be_called(tmp_path, module, record):
    target, path = tmp_path / 'ran', tmp_path / 'evil.pth'

    def text(value):
        return pickle.BINUNICODE + len(value).to_bytes(4, 'little') + value.encode()

    name = f'c{module}\n'.encode()
    evil = (
        pickle.PROTO + b'\x02' + name + b'getattr\n' + b'ctorch._utils\n_rebuild_tensor_v2\n' + text('__globals__')
        + pickle.TUPLE2 + pickle.REDUCE  # getattr(function, '__globals__')
        + text(f'touch {target}') + pickle.TUPLE1 + pickle.REDUCE + pickle.STOP
    )  # fmt: skip
    write_raw(path, evil)
    with pytest.raises(ValueError, match='trust-checkpoint'):
        read_checkpoint(path)
    assert not target.exists()
    record(REFUSED, **{f'getattr of {module}': 1})


def test_getattr_chain_to_a_command_does_not_run(tmp_path, record):
    target, path = tmp_path / 'ran', tmp_path / 'evil.pth'
    evil = (
        b'\x80\x02cbuiltins\ngetattr\ncposix\nsystem\nX\x08\x00\x00\x00__call__\x86R'
        + pickle.BINUNICODE + len(f'touch {target}').to_bytes(4, 'little') + f'touch {target}'.encode() + b'\x85R.'
    )  # fmt: skip
    write_raw(path, evil)
    with pytest.raises(ValueError, match='trust-checkpoint'):
        read_checkpoint(path)
    assert not target.exists()
    record(REFUSED, **{'chain of getattr': 1})


def forged_array(kind, flags):
    """An array whose dtype claims flags of its own: with NumPy's classes, bytes that pass for Python objects."""

    class Forged:
        def __reduce__(self):
            array = np._core.multiarray._reconstruct
            return array, (np.ndarray, (0,), b'b'), (1, (2,), ForgedDtype(), False, b'\x41' * 16)

    class ForgedDtype:
        def __reduce__(self):
            return np.dtype, (kind, False, True), (3, '|', None, None, None, -1, -1, flags)

    return Forged()


@pytest.mark.parametrize(('kind', 'flags'), [('O8', 0), ('O8', 63), ('f8', 63), ('f8', 1)])
def test_forged_array_is_refused(tmp_path, record, kind, flags):
    path = tmp_path / 'evil.pth'
    torch.save({'state_dict': network().state_dict(), 'meta': forged_array(kind, flags)}, path)
    with pytest.raises(ValueError, match='trust-checkpoint'):
        read_checkpoint(path)
    record(REFUSED, **{f'forged array, {kind}, flags {flags}': 1})


def test_arrays_are_what_they_were_and_are_saved_as_any_other(tmp_path):
    rng = np.random.default_rng(0)
    codes = [*np.typecodes['AllInteger'], *np.typecodes['AllFloat'].replace('g', '').replace('G', ''), '?', 'S3', 'U2']
    arrays = [rng.integers(0, 2, (2, 3)).astype(code) for code in codes]
    arrays += [arrays[0].astype('>i4'), np.asfortranarray(arrays[3]), np.zeros((0, 2)), np.zeros(())]
    meta = dict(arrays=arrays, scalars=[array.flat[0] for array in arrays[:-2]])
    path = tmp_path / 'file.pth'
    for _ in range(2):
        torch.save({'state_dict': network().state_dict(), 'meta': meta}, path)
        found = read_checkpoint(path)['meta']
        for one, other in zip(arrays, found['arrays'], strict=True):
            assert one.dtype.newbyteorder('=') == other.dtype and one.shape == other.shape and (one == other).all()
        assert [one.dtype.kind for one in found['scalars']] == [array.dtype.kind for array in arrays[:-2]]
        assert found['scalars'] == [array.flat[0] for array in arrays[:-2]]
        meta = found
    assert b'dyconv_pose' not in path.read_bytes()


@pytest.mark.parametrize('content', [b'', b'PK', b'no checkpoint at all', b'\x80\x02', b'PK\x03\x04' + b'\0' * 100])
@pytest.mark.parametrize('trust', [False, True])
def test_no_checkpoint(tmp_path, content, trust):
    path = tmp_path / 'file.pth'
    path.write_bytes(content)
    with pytest.raises(ValueError, match='not a whole file'):
        read_checkpoint(path, trust)


@pytest.mark.parametrize('is_zip', [True, False], ids=['zip', 'legacy'])
def test_truncated_at_any_place(tmp_path, is_zip):
    path, whole = tmp_path / 'file.pth', io.BytesIO()
    torch.save({'state_dict': network().state_dict()}, whole, _use_new_zipfile_serialization=is_zip)
    content = whole.getvalue()
    for length in range(0, len(content), max(len(content) // 40, 1)):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r'not a whole file|trust-checkpoint'):
            read_checkpoint(path)


def test_damaged_bytes_give_our_error_or_a_dictionary(tmp_path):
    path, whole, rng = tmp_path / 'file.pth', io.BytesIO(), np.random.default_rng(0)
    content = {'state_dict': network().state_dict(), 'meta': {'a': np.arange(3.0), 'b': np.float32(1), 'c': (1, 'x')}}
    torch.save(content, whole, _use_new_zipfile_serialization=False)
    for _ in range(300):
        damaged = np.frombuffer(whole.getvalue(), np.uint8).copy()
        places = rng.integers(0, 900, 3)  # where the pickle is
        damaged[places] = rng.integers(0, 256, 3)
        path.write_bytes(damaged.tobytes())
        try:
            assert 'state_dict' in read_checkpoint(path)
        except ValueError as error:
            assert str(path) in str(error)


@pytest.mark.parametrize('content', [[1, 2], {'a': 1}, {'state_dict': 3}, {'state_dict': {}}, {1: torch.ones(1)}, {}])
def test_other_content(tmp_path, content):
    torch.save(content, tmp_path / 'file.pth')
    with pytest.raises(ValueError, match='A checkpoint must hold'):
        read_checkpoint(tmp_path / 'file.pth')


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='existing file'):
        read_checkpoint(tmp_path / 'none.pth')


@pytest.mark.parametrize('is_zip', [True, False], ids=['zip', 'legacy'])
@pytest.mark.parametrize('layout', ['plain', 'nested', 'ddp'])
def test_weights_arrive(tmp_path, is_zip, layout):
    source, target = network(), network()
    weights = source.state_dict()
    if layout == 'ddp':
        weights = OrderedDict((f'module.{name}', value) for name, value in weights.items())
    content = weights if layout == 'plain' else {'state_dict': weights}
    torch.save(content, tmp_path / 'file.pth', _use_new_zipfile_serialization=is_zip)
    load_weights(target, tmp_path / 'file.pth')
    for name, value in source.state_dict().items():
        assert torch.equal(target.state_dict()[name], value)


@pytest.mark.parametrize(
    ('other', 'sentence'),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 1)), '4 of its weights are missing.*0 are unknown'),
        (nn.Sequential(*network(), nn.Linear(2, 2)), '0 of its weights are missing.*2 are unknown'),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), r'0.weight has the shape \(4, 3, 3, 3\) and needs'),
    ],
)
def test_other_network_is_refused_and_nothing_is_changed(tmp_path, other, sentence):
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.save(other.state_dict(), tmp_path / 'file.pth')
    with pytest.raises(ValueError, match=sentence):
        load_weights(model, tmp_path / 'file.pth')
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_mmengine_checkpoint(tmp_path):
    """As a Runner writes it: the log with its buffers, NumPy numbers and the data set's arrays."""
    hub = MessageHub.get_instance('test_checkpoint')
    hub.update_scalar('train/loss', torch.tensor(0.5))
    hub.update_info('best_score', np.float64(0.25))
    colors = np.asfortranarray(np.arange(6, dtype=np.uint8).reshape(2, 3))
    meta = {'dataset_meta': {'colors': colors, 'names': np.array(['nose', 'eye']), 'big': np.arange(2, dtype='>i4')}}
    content = {'state_dict': network().state_dict(), 'message_hub': hub.state_dict(), 'meta': meta}
    assert isinstance(content['message_hub']['log_scalars']['train/loss'], HistoryBuffer)
    torch.save(content, tmp_path / 'file.pth')
    read = read_checkpoint(tmp_path / 'file.pth')
    dataset_meta = read['meta']['dataset_meta']
    assert np.array_equal(dataset_meta['colors'], colors)
    assert dataset_meta['names'].tolist() == ['nose', 'eye']
    assert dataset_meta['big'].tolist() == [0, 1]
    assert read['message_hub']['runtime_info']['best_score'] == 0.25
    log = read['message_hub']['log_scalars']['train/loss']
    assert isinstance(log, HistoryBuffer)
    assert log.current() == 0.5
    assert log.statistics('mean', 1) == 0.5


WAYS = {
    'inference and export': lambda path, folder: load_estimator(CONFIG, path),
    'test.py': lambda path, folder: score(scoring_config(folder), path),
    'publish_model.py': lambda path, folder: publish(path, folder / 'out.pth'),
}


def scoring_config(folder):
    config = load_config(CONFIG, {'work_dir': str(folder), 'test_dataloader.dataset.bbox_file': ''})
    config.test_dataloader.dataset.update(ann_file=str(folder), data_root='', data_prefix=dict(img=str(folder)))
    return config


@pytest.mark.parametrize('way', WAYS)
@pytest.mark.parametrize('forced', [False, True], ids=['', 'PyTorch told to unpickle in full'])
def test_every_way_refuses(tmp_path, monkeypatch, record, way, forced):
    if forced:
        monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    target, path = tmp_path / 'ran', tmp_path / 'evil.pth'
    torch.save({'state_dict': network().state_dict(), 'meta': RunsCommand(target)}, path)
    with pytest.raises(ValueError, match='--trust-checkpoint'):
        WAYS[way](path, tmp_path)
    assert not target.exists()
    record(REFUSED, **{f'{way}{", full unpickling forced" * forced}': 1})


def test_what_is_given_away_needs_weights_only():
    files = sorted((ROOT / 'checkpoints').glob('*.pth'))
    assert files
    for path in files:
        assert 'state_dict' in torch.load(path, weights_only=True)
