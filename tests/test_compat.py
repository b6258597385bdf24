"""Stand-ins appear for what is absent, give way to what is installed, and leave nothing behind.

Whatever depends on the state of ``sys.modules`` runs in a process of its own. Fake packages stand for installed ones;
most of those processes hide MMPose, without which they start in a fraction of the time.
"""

import json
import os
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

import dyconv_pose.registration  # noqa: F401  before any import of MMPose

ROOT = Path(__file__).parents[1]
FAKES = {
    'mmdet': {'utils': 'ConfigType = dict\ndef reduce_mean(tensor): return "reduced"'},
    'torchvision': {'transforms': 'class ToPILImage: "A fake."'},
    'xtcocotools': {
        'coco': 'class COCO: "A fake."',
        'cocoeval': 'class COCOeval: "A fake."',
        'mask': '',
    },
}
COMPILED_MMCV = {'mmcv': {'_ext': '', 'ops': 'class MultiScaleDeformableAttention: "A fake."'}}

HIDE = """
    import sys

    class Hiding:
        def __init__(self, finder, hidden):
            self.finder, self.hidden = finder, hidden

        def find_spec(self, name, *args):
            return None if name.partition('.')[0] in self.hidden else self.finder.find_spec(name, *args)

    def hide(*names):
        sys.meta_path[:] = [Hiding(finder, names) for finder in sys.meta_path]
"""


def absent(package):
    return pytest.mark.skipif(find_spec(package) is not None, reason=f'{package} is installed')


def write_packages(folder, packages):
    """Importable packages, from {package: {module: source}}; the source of ``__init__`` is empty if not given."""
    for package, modules in packages.items():
        (folder / package).mkdir()
        for module, source in {'__init__': '', **modules}.items():
            (folder / package / f'{module}.py').write_text(source)
    return folder


def run(program, *, path=None):
    """Runs a program in a new interpreter; it may ``hide()`` packages. What it prints last, a JSON object or nothing.

    Raises:
        RuntimeError: the program fails; the message is all that it wrote to stderr.
    """
    source = textwrap.dedent(HIDE) + textwrap.dedent(program)
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, [str(path or ''), str(ROOT)])))
    process = subprocess.run([sys.executable, '-c', source], env=env, cwd=ROOT, capture_output=True, text=True)
    if process.returncode:
        raise RuntimeError(process.stderr)
    return json.loads(process.stdout.splitlines()[-1]) if process.stdout else None


def test_mmpose_is_importable_and_no_stand_in_remains():
    state = run("""
        import importlib, json
        from importlib.util import find_spec
        packages = 'torchvision', 'mmdet', 'xtcocotools', 'mmcv'
        installed_before = {name: find_spec(name) is not None for name in packages}

        import dyconv_pose.datasets.check  # imports MMPose by itself, whatever was imported before
        for part in 'models', 'apis', 'datasets', 'evaluation':
            importlib.import_module('mmpose.' + part)

        remaining = [name for name, module in sys.modules.items() if 'Stand-in' in (module.__doc__ or '')]
        from mmengine.utils.dl_utils import collect_env
        print(json.dumps(dict(
            installed_before=installed_before,
            installed_after={name: find_spec(name) is not None for name in packages},
            loaded=[name for name in packages if name in sys.modules],
            remaining=remaining,
            environment=list(collect_env()),
        )))
    """)
    assert state['remaining'] == []
    assert state['installed_after'] == state['installed_before']
    assert set(state['loaded']) <= {name for name, installed in state['installed_before'].items() if installed}
    assert ('TorchVision' in state['environment']) == state['installed_before']['torchvision']
    assert 'PyTorch' in state['environment']


def test_without_mmpose_the_package_imports_nothing_and_the_layers_work():
    run("""
        hide('mmpose', 'mmengine', 'mmcv', 'mmdet')
        import dyconv_pose
        assert not {'torch', 'numpy'} & set(sys.modules)
        assert not {'mmpose', 'mmengine', 'mmcv', 'dyconv_pose.registration'} & set(sys.modules)

        import torch
        from dyconv_pose import DyConv2d
        assert DyConv2d(3, 4, 3)(torch.zeros(2, 3, 8, 8)).shape == (2, 4, 6, 6)
    """)


def test_installed_packages_are_used(tmp_path):
    run(
        """
        hide('mmpose')
        from dyconv_pose.compat import mock_missing_modules
        with mock_missing_modules():
            from mmcv.ops import MultiScaleDeformableAttention
            from mmdet.utils import reduce_mean
            from torchvision.transforms import ToPILImage
            from xtcocotools.coco import COCO
            from xtcocotools.cocoeval import COCOeval
            import xtcocotools.mask
        for fake in MultiScaleDeformableAttention, ToPILImage, COCO, COCOeval:
            assert fake.__doc__ == 'A fake.', fake
        assert reduce_mean(1) == 'reduced'
        for name in 'mmcv.ops', 'mmdet.utils', 'torchvision.transforms', 'xtcocotools.mask':
            assert 'Stand-in' not in (sys.modules[name].__doc__ or ''), name
        """,
        path=write_packages(tmp_path, FAKES | COMPILED_MMCV),
    )


@pytest.mark.slow
def test_mmpose_uses_installed_packages(tmp_path):
    run(
        """
        import dyconv_pose.registration
        from mmpose.evaluation.metrics import coco_metric
        from mmpose.models.heads.hybrid_heads import rtmo_head
        from mmpose.visualization import simcc_vis
        assert rtmo_head.reduce_mean(1) == 'reduced'
        for used in coco_metric.COCO, coco_metric.COCOeval, simcc_vis.ToPILImage:
            assert used.__doc__ == 'A fake.', used
        """,
        path=write_packages(tmp_path, FAKES),
    )


@pytest.mark.parametrize(
    ('package', 'statement'),
    [
        ('mmdet', 'from mmdet.utils import reduce_mean'),
        ('torchvision', 'from torchvision.transforms import ToPILImage'),
        ('xtcocotools', 'from xtcocotools.coco import COCO'),
    ],
)
def test_a_broken_package_raises_its_own_error(tmp_path, package, statement):
    broken = {package: FAKES[package] | {'__init__': "raise ImportError('libmissing.so cannot be opened')"}}
    program = f"""
        hide('mmpose', 'mmcv')
        from dyconv_pose.compat import mock_missing_modules
        with mock_missing_modules():
            {statement}
    """
    with pytest.raises(RuntimeError, match=r'ImportError: libmissing\.so cannot be opened'):
        run(program, path=write_packages(tmp_path, broken))


@pytest.mark.slow
def test_importing_with_a_broken_mmdet_raises_its_own_error(tmp_path):
    broken = {'mmdet': {'__init__': "raise ImportError('libmissing.so cannot be opened')"}}
    with pytest.raises(RuntimeError, match=r'ImportError: libmissing\.so cannot be opened'):
        run('import dyconv_pose.registration', path=write_packages(tmp_path, broken))


@pytest.mark.parametrize(
    'error',
    [
        "ValueError('numpy.dtype size changed, may indicate binary incompatibility. Expected 96, got 88')",
        "ImportError('numpy.core.multiarray failed to import')",
        "ImportError('A module that was compiled using NumPy 1.x cannot be run in NumPy 2.4')",
    ],
)
def test_xtcocotools_compiled_for_another_numpy_is_replaced(tmp_path, error):
    modules = {'coco': 'from . import mask', 'cocoeval': 'from . import mask', 'mask': f'raise {error}'}
    run(
        """
        hide('mmpose', 'mmcv')
        import dyconv_pose.compat
        with dyconv_pose.compat.mock_missing_modules():
            from xtcocotools.cocoeval import COCOeval
        from dyconv_pose.evaluation import cocoeval
        assert COCOeval is cocoeval.COCOeval
        assert 'xtcocotools' not in sys.modules
        """,
        path=write_packages(tmp_path, {'xtcocotools': modules}),
    )


def test_mocks_vanish_when_an_import_fails():
    run("""
        hide('mmpose', 'mmcv', 'mmdet', 'torchvision', 'xtcocotools')
        from dyconv_pose.compat import mock_missing_modules
        try:
            with mock_missing_modules():
                from mmdet.utils import reduce_mean
                from mmdet.utils import something_else
        except ImportError:
            assert not {'mmdet', 'torchvision', 'xtcocotools'} & set(sys.modules)
        else:
            raise AssertionError('a name that MMPose does not import was supplied')
    """)


@pytest.mark.skipif(
    find_spec('mmcv') is None or find_spec('mmcv._ext') is not None, reason='needs an MMCV without operators'
)
def test_edpose_says_which_mmcv_to_install():
    from mmpose.models.heads.transformer_heads.transformers.deformable_detr_layers import (
        DeformableDetrTransformerEncoderLayer,
    )

    with pytest.raises(ImportError, match='install an MMCV with compiled operators'):
        DeformableDetrTransformerEncoderLayer(self_attn_cfg=dict(embed_dims=8))


@absent('mmdet')
def test_rtmo_says_to_install_mmdetection():
    from mmpose.models.heads.hybrid_heads import rtmo_head

    with pytest.raises(ImportError, match='install MMDetection'):
        rtmo_head.reduce_mean(1)


@absent('torchvision')
def test_simcc_drawing_says_to_install_torchvision():
    from mmpose.visualization.simcc_vis import SimCCVisualizer

    image = np.zeros((64, 48, 3), dtype=np.uint8)
    with pytest.raises(ImportError, match='install torchvision'):
        SimCCVisualizer().draw_instance_xy_heatmap(torch.rand(17, 64, 48), image, n=2)
