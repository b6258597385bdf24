"""Makes MMPose importable where packages that it names at import time are absent.

MMPose 1.3 imports, at the top of modules that every user loads, MMCV's compiled operators, MMDetection, torchvision and
xtcocotools (whose wheels are built for NumPy 1). No pose network of this project uses the first three; pycocotools, the
official evaluator, does the work of the fourth. What is installed is used as it is, but for an xtcocotools compiled for
another NumPy, which is replaced, and a torchvision built for CUDA beside a CPU-only PyTorch, which is made importable.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType
from typing import NoReturn

#: Declarations of operators, which last as long as these objects.
_LIBRARIES: list[object] = []


@contextmanager
def mock_missing_modules() -> Iterator[None]:
    """Supplies the missing names that MMPose imports, within the ``with`` block and not after it."""
    mocks = {**_mmcv_ops(), **_mmdet(), **_torchvision(), **_xtcocotools()}
    sys.modules.update(mocks)
    try:
        yield
    finally:
        for name in mocks:
            sys.modules.pop(name, None)


def _unavailable(module: str, name: str, remedy: str) -> type:
    """A class that can be imported and subclassed, but says what to install as soon as it is used or called."""

    def __init__(self: object, *args, **kwargs) -> NoReturn:  # noqa: N807
        raise ImportError(f'{module}.{name} is needed here but is not installed: install {remedy}.')

    return type(name, (), {'__init__': __init__, '__module__': module})


def _package(name: str, **modules: dict) -> dict[str, ModuleType]:
    """A package and its modules, given by their contents, ready for ``sys.modules``."""
    package = ModuleType(name, 'Stand-in of dyconv_pose.compat for a package that is not installed.')
    package.__path__ = []
    found = {name: package}
    for part, contents in modules.items():
        found[f'{name}.{part}'] = module = ModuleType(f'{name}.{part}', package.__doc__)
        module.__dict__.update(contents)
        setattr(package, part, module)
    return found


def _mmcv_ops() -> dict[str, ModuleType]:
    if find_spec('mmcv') is None or find_spec('mmcv._ext') is not None:
        return {}
    name, remedy = 'MultiScaleDeformableAttention', 'an MMCV with compiled operators ("mmcv", not its lite build)'
    return {'mmcv.ops': _package('mmcv', ops={name: _unavailable('mmcv.ops', name, remedy)})['mmcv.ops']}


def _mmdet() -> dict[str, ModuleType]:
    if find_spec('mmdet') is not None:
        return {}
    reduce_mean = _unavailable('mmdet.utils', 'reduce_mean', 'MMDetection ("mmdet")')
    return _package('mmdet', utils={'ConfigType': dict, 'reduce_mean': reduce_mean})


def _torchvision() -> dict[str, ModuleType]:
    if find_spec('torchvision') is not None:
        _declare_torchvision_operators()
        return {}
    to_pil = _unavailable('torchvision.transforms', 'ToPILImage', 'torchvision')
    return _package('torchvision', transforms={'ToPILImage': to_pil})


def _declare_torchvision_operators() -> None:
    """Declares the operators that the Python part of a torchvision built for CUDA looks for beside a CPU-only PyTorch.

    Its compiled library, which declares them, does not load there. They stay without an implementation, which is said
    when one is called; image transforms do not need them.
    """
    try:
        importlib.import_module('torchvision')
    except RuntimeError as error:
        if 'operator torchvision::' not in str(error):
            raise
        _forget('torchvision')
        import torch

        library = torch.library.Library('torchvision', 'FRAGMENT')
        for operator in ('nms', 'qnms'):
            library.define(f'{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
        _LIBRARIES.append(library)
        importlib.import_module('torchvision')


def _xtcocotools() -> dict[str, ModuleType]:
    if find_spec('xtcocotools') is not None:
        try:
            importlib.import_module('xtcocotools.cocoeval')
            return {}
        except (ImportError, ValueError) as error:  # compiled for another NumPy, it raises either of the two
            if 'numpy' not in str(error).lower():
                raise
            _forget('xtcocotools')
    from pycocotools import mask

    from dyconv_pose.evaluation.cocoeval import COCO, COCOeval

    functions = {name: getattr(mask, name) for name in dir(mask) if name[0] != '_'}
    return _package('xtcocotools', coco={'COCO': COCO}, cocoeval={'COCOeval': COCOeval}, mask=functions)


def _forget(package: str) -> None:
    for name in [name for name in sys.modules if name.partition('.')[0] == package]:
        del sys.modules[name]
