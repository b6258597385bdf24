"""The exported file: equal to torch, whole in itself, refused where it is wrong, and runnable without torch."""

import json
import subprocess
import sys
from importlib.util import find_spec

import cv2
import numpy as np
import pytest
import torch
from analysis_tools.attention.hooks import record_attention
from small_network import CONFIG, ROOT, enliven, small_config

from dyconv_pose.apis import load_config
from dyconv_pose.apis.estimator import load_model
from dyconv_pose.deploy import export, load_exported, read_exported, runtime, to_deploy, to_static
from dyconv_pose.deploy.export import export_onnx
from dyconv_pose.deploy.network import TorchNetwork
from dyconv_pose.deploy.runtime import open_session
from dyconv_pose.inference import HeatmapModel

BACKENDS = ['onnxruntime', 'openvino']
BOXES = [[30, 20, 150, 220], [120.5, 3.25, 300.75, 200.5], [-20, -30, 90, 100]]


@pytest.fixture(scope='module')
def image(tmp_path_factory):
    """Random spots, 320 x 240."""
    path = tmp_path_factory.mktemp('image') / 'spots.png'
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    cv2.imwrite(str(path), cv2.resize(small, (320, 240), interpolation=cv2.INTER_CUBIC))
    return path


@pytest.mark.parametrize('backend', BACKENDS)
def test_heatmaps_equal_those_of_torch_at_any_batch_size(estimator, exported, backend):
    pytest.importorskip(backend)
    session = open_session(exported[0], backend, threads=1).run
    for batch in (1, 3, 8):
        x = np.random.default_rng(batch).standard_normal((batch, 3, 128, 96), dtype=np.float32)
        expected = estimator.model.network(x)
        assert expected.std() > 0.1 * np.abs(expected).max()  # else nearly constant heatmaps would pass
        np.testing.assert_allclose(session(x), expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize('backend', BACKENDS)
def test_poses_equal_those_of_torch(estimator, exported, image, backend):
    pytest.importorskip(backend)
    expected = estimator.predict(str(image), BOXES)
    found = load_exported(exported[0], backend, threads=1).predict(str(image), BOXES)
    np.testing.assert_allclose(found.keypoints, expected.keypoints, atol=0.1)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-3)
    np.testing.assert_array_equal(found.regions, expected.regions)
    plain = load_exported(exported[0], backend, threads=1, flip_test=False).predict(str(image), BOXES)
    assert not np.allclose(plain.scores, expected.scores, rtol=1e-3)


def test_the_file_says_what_it_is(estimator, exported):
    onnx = pytest.importorskip('onnx')
    path, report = exported
    model = read_exported(path)
    assert model.spec == estimator.model.spec and model.keypoint_set == estimator.keypoint_set
    assert (model.batch, model.opset, model.codec, model.source) == (None, 18, 'MSRAHeatmap', 'small')
    theirs = onnx.load(path)
    assert [(entry.key, json.loads(entry.value)) for entry in theirs.metadata_props] == [
        ('dyconv_pose', json.loads(model.to_json()))
    ]
    assert theirs.opset_import[0].version == 18
    assert str(ROOT).encode() not in path.read_bytes() and b'site-packages' not in path.read_bytes()
    assert len(report.errors) == 3 and max(report.errors.values()) <= 1e-4


@pytest.mark.parametrize(
    ('storage', 'share', 'least', 'most'), [('float16', 0.7, 1e-5, 1e-2), ('int8', 0.45, 1e-4, 0.2)]
)
def test_batches_of_one_and_weights_in_fewer_bits(estimator, exported, image, tmp_path, storage, share, least, most):
    out = tmp_path / 'one.onnx'
    report = export_onnx(estimator.model, out, batch=1, opset=19, storage=storage, images=[image])
    assert set(report.errors) == {f'{kind}, batch {n}' for kind in ('random', 'images') for n in (1, 2, 7)}
    assert least < report.storage_error < most
    assert out.stat().st_size < share * exported[0].stat().st_size
    model = read_exported(out)
    assert (model.batch, model.opset, model.storage) == (1, 19, storage)
    expected = estimator.predict(str(image), BOXES)
    for backend in BACKENDS:
        if find_spec(backend) is None:
            continue
        found = load_exported(out, backend, threads=1).predict(str(image), BOXES)
        np.testing.assert_allclose(found.scores, expected.scores, atol=2 * most * expected.scores.max())


@pytest.mark.parametrize('batch', [None, 1])
def test_attention_as_further_outputs(estimator, image, tmp_path, batch):
    """Equal to the trained layers'; runtimes, and so the check at export, leave them out."""
    onnxruntime = pytest.importorskip('onnxruntime')
    report = export_onnx(estimator.model, tmp_path / 'model.onnx', batch=batch, with_attention=True)
    assert len(report.errors) == 3
    size = batch or 3
    x = np.random.default_rng(0).standard_normal((size, 3, 128, 96), dtype=np.float32)
    with record_attention(estimator.model.network.module) as layers:
        heatmaps = estimator.model.network(x)
    session = onnxruntime.InferenceSession(str(tmp_path / 'model.onnx'))
    names = [output.name for output in session.get_outputs()]
    assert names == ['heatmaps', *(f'attention/{name}' for name in layers)]
    found = dict(zip(names, session.run(None, {'input': x}), strict=True))
    for name, layer in layers.items():
        weights = found[f'attention/{name}']
        assert weights.shape == (size, 3)
        np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
        np.testing.assert_allclose(weights, layer.pi, atol=1e-5)
    assert np.std([found[f'attention/{name}'].std(axis=1) for name in layers]) > 0.01  # else 1 / K would pass
    expected = estimator.predict(str(image), BOXES)
    for backend in filter(find_spec, BACKENDS):
        np.testing.assert_allclose(open_session(tmp_path / 'model.onnx', backend).run(x), heatmaps, atol=1e-4)
        poses = load_exported(tmp_path / 'model.onnx', backend, threads=1).predict(str(image), BOXES)
        np.testing.assert_allclose(poses.keypoints, expected.keypoints, atol=0.1)


def test_attention_is_refused_of_a_network_without(estimator, tmp_path):
    pytest.importorskip('onnxscript')
    static = to_static(estimator.model.network.module, batches=[torch.randn(100, 3, 128, 96)])
    model = HeatmapModel(TorchNetwork(static), estimator.model.spec, estimator.keypoint_set)
    with pytest.raises(ValueError, match='no such layers: export it without --with-attention'):
        export_onnx(model, tmp_path / 'model.onnx', with_attention=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('storage', ['float16', 'int8'])
def test_openvino_reads_kernels_in_the_bits_that_they_are_stored_in(estimator, tmp_path, storage):
    openvino = pytest.importorskip('openvino')
    export_onnx(estimator.model, tmp_path / 'one.onnx', batch=1, storage=storage)
    model = openvino.Core().read_model(str(tmp_path / 'one.onnx'))
    banks = runtime.banks_as_inputs(model)
    layers = [one for one in to_deploy(estimator.model.network.module, 'batch_1').modules() if hasattr(one, 'bank')]
    whole = sum(kernel.numel() for layer in layers for kernel in layer.bank)
    assert len(banks) == len(model.inputs) - 1
    assert 0.8 * whole < sum(bank.data.size for bank in banks) <= whole  # the exporter widens the smallest
    assert {bank.data.dtype for bank in banks} == {np.dtype(storage)}
    x = np.random.default_rng(0).standard_normal((1, 3, 128, 96), dtype=np.float32)
    expected = open_session(tmp_path / 'one.onnx', 'onnxruntime', threads=1).run(x)
    found = open_session(tmp_path / 'one.onnx', 'openvino', threads=1).run(x)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(
    ('batch', 'deploy'),
    [(1, True), *(pytest.param(*case, marks=pytest.mark.slow) for case in ((1, False), (2, False), (2, True)))],
)
def test_torchs_own_exporters_take_the_network_at_any_batch_size(tmp_path, batch, deploy):
    """Of a backbone that is dynamic throughout: after static blocks torch takes an example of one sample for fixed."""
    pytest.importorskip('onnxscript')
    config = small_config(load_config(CONFIG))
    config.model.backbone.update(num_stages=1, strides=(1,), dilations=(1,), out_indices=(0,), dynamic_convs=['*'])
    config.model.head.in_channels = 8
    whole = load_model(config, None)
    trained, x = enliven(whole.network.module), torch.randn(3, 3, 128, 96)
    network, expected = to_deploy(trained) if deploy else trained, whole.network(x.numpy())
    options = dict(dynamo=True, dynamic_shapes=({0: 'batch'},), verbose=False)
    torch.onnx.export(network.eval(), (x[:batch],), str(tmp_path / 'raw.onnx'), **options)
    session = open_session(tmp_path / 'raw.onnx').run
    with torch.no_grad():
        traced = torch.jit.trace(network, x[:batch])
        for size in (1, 3):
            for found in (session(x[:size].numpy()), traced(x[:size]).numpy()):
                np.testing.assert_allclose(found, expected[:size], atol=1e-4 * np.abs(expected).max())


def test_a_file_that_differs_is_not_left(estimator, tmp_path, monkeypatch):
    pytest.importorskip('onnxscript')
    kept = tmp_path / 'model.onnx'
    kept.write_text('an older file')

    def slightly_wrong(model, plan):
        deployed = to_deploy(model, plan)
        deployed.head.final_layer.weight.data[0] *= 1.01
        return deployed

    monkeypatch.setattr(export, 'to_deploy', slightly_wrong)
    with pytest.raises(ValueError, match=r'must equal that of torch within 0\.0001 .* no file is left'):
        export_onnx(estimator.model, kept, batch=1)
    assert [path.name for path in tmp_path.iterdir()] == ['model.onnx'] and kept.read_text() == 'an older file'


@pytest.mark.parametrize(
    ('size', 'storage'),
    [
        (1e5, 'float32'),
        pytest.param(1e5, 'int8', marks=pytest.mark.slow),
        pytest.param(float('nan'), 'float32', marks=pytest.mark.slow),
        (float('nan'), 'int8'),
    ],
)
def test_a_network_that_rounding_moves_is_told_so(estimator, tmp_path, size, storage):
    """No other opset would help."""
    pytest.importorskip('onnxscript')

    class Chaotic(torch.nn.Module):
        def __init__(self, network):
            super().__init__()
            self.network = network

        def forward(self, x):
            return torch.sin(self.network(x) * size)

    network, trained = TorchNetwork(Chaotic(estimator.model.network.module)), estimator.model
    model = HeatmapModel(network, trained.spec, trained.keypoint_set)
    with pytest.raises(ValueError, match='nearly the same in float32 as in float64, .* differ by') as raised:
        export_onnx(model, tmp_path / 'model.onnx', batch=1, storage=storage)
    assert 'opset' not in str(raised.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(opset=11), 'opset must be between 18'),
        (dict(opset=999), 'opset must be between 18'),
        (dict(storage='int4'), 'must be stored in one of float32, float16, int8, got'),
        (dict(batch=4), 'must be 1 or left free, got 4'),
        (dict(out='model.pb'), 'must be named .onnx'),
        (dict(out='none/model.onnx'), 'a folder that can be written into'),
        (dict(images=['none.jpg']), 'none.jpg'),
    ],
    ids=str,
)
def test_mistakes_at_export(estimator, tmp_path, options, message):
    pytest.importorskip('onnxscript')
    out = tmp_path / options.pop('out', 'model.onnx')
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        export_onnx(estimator.model, out, **options)
    assert not list(tmp_path.iterdir())


def test_an_operator_that_onnx_does_not_have(estimator, tmp_path, monkeypatch):
    pytest.importorskip('onnxscript')

    class Strange(torch.nn.Module):
        def forward(self, x):
            return torch.special.airy_ai(x)

    monkeypatch.setattr(export, 'to_deploy', lambda model, plan: Strange())
    with pytest.raises(ValueError, match='cannot be exported to opset 18'):
        export_onnx(estimator.model, tmp_path / 'model.onnx')
    assert not list(tmp_path.iterdir())


HIDING = """
import sys
from importlib.machinery import PathFinder

class WithoutTorch:
    @staticmethod
    def find_spec(name, path=None, target=None):
        hidden = ('torch', 'mmpose', 'mmengine', 'mmcv', 'onnx', 'onnxscript')
        return None if name.partition('.')[0] in hidden else PathFinder.find_spec(name, path, target)

sys.meta_path = [WithoutTorch if one is PathFinder else one for one in sys.meta_path]
"""

PREDICT = """
import json
from dyconv_pose.deploy import load_exported
model, image, backend, boxes = sys.argv[1:]
poses = load_exported(model, backend, threads=1).predict(image, json.loads(boxes))
assert not {'torch', 'mmpose'} & set(sys.modules)
print(json.dumps(poses.keypoints.tolist()))
"""

TOOL = """
import runpy
sys.argv = ['infer.py', *sys.argv[1:]]
sys.path.insert(0, 'tools')
runpy.run_path('tools/infer.py', run_name='__main__')
"""


#: What the tool and the rest of the project need beside NumPy, OpenCV and a runtime; the Python interface does not.
NOT_NEEDED = "hidden = ('pycocotools', 'rich', 'matplotlib', 'scipy', "


def without_torch(script, *arguments, hidden='hidden = ('):
    code = HIDING.replace('hidden = (', hidden) + script
    return subprocess.run([sys.executable, '-c', code, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize('backend', BACKENDS)
def test_runs_where_torch_and_mmpose_are_absent(estimator, exported, image, backend):
    pytest.importorskip(backend)
    done = without_torch(PREDICT, exported[0], image, backend, json.dumps(BOXES), hidden=NOT_NEEDED)
    assert done.returncode == 0, done.stderr
    expected = estimator.predict(str(image), BOXES).keypoints
    np.testing.assert_allclose(json.loads(done.stdout), expected, atol=0.1)


def test_the_tool_runs_where_torch_and_mmpose_are_absent(estimator, exported, image, tmp_path):
    done = without_torch(TOOL, exported[0], image, '--whole-image', '--out-dir', tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / 'overlays/spots.jpg').is_file()
    (person,) = json.loads((tmp_path / 'results.json').read_text())
    expected = estimator.predict(str(image), [[0, 0, 320, 240]]).keypoints[0]
    found = np.reshape(person['keypoints'], (-1, 3))[:, :2]
    np.testing.assert_allclose(found, expected, atol=0.1)
    done = without_torch(TOOL, exported[0], '--out-dir', tmp_path)
    assert done.returncode == 2 and 'INPUT' in done.stderr
    done = without_torch(TOOL, 'config.py', 'a.pth', image, '--out-dir', tmp_path)
    assert done.returncode == 2 and 'need PyTorch and MMPose' in done.stderr.strip().splitlines()[-1]


def test_import_needs_no_torch():
    done = without_torch('import dyconv_pose, dyconv_pose.deploy, dyconv_pose.inference')
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize('batch', [None, 1])
@pytest.mark.parametrize(
    'name',
    [
        'dy-mobilenetv2',
        'dy-mobilenetv2-bneck',
        'dy-mobilenetv3-small',
        'dy-res18',
        'dy-vipnas-mbv3',
        'dy-litehrnet-18',
        'res18',
    ],
)
def test_networks_of_the_configs(tmp_path, name, batch):
    pytest.importorskip('onnxscript')
    (config,) = CONFIG.parent.glob(f'td-hm_{name}_8xb64-210e_coco-256x192.py')
    model = load_model(config, None)
    enliven(model.network.module)
    assert max(export_onnx(model, tmp_path / 'model.onnx', batch).errors.values()) <= 1e-4
