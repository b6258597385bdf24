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
    contents = {}
    if find_spec('mmcv') is not None and find_spec('mmcv._ext') is None:
        contents['mmcv.ops'] = _unavailable(
            'mmcv.ops', 'MultiScaleDeformableAttention', 'an MMCV with compiled operators ("mmcv", not its lite build)'
        )
    if find_spec('mmdet') is None:
        reduce_mean = _unavailable('mmdet.utils', 'reduce_mean', 'MMDetection ("mmdet")')
        contents |= {'mmdet': {}, 'mmdet.utils': {'ConfigType': dict, **reduce_mean}}
    if find_spec('torchvision') is None:
        transforms = _unavailable('torchvision.transforms', 'ToPILImage', 'torchvision')
        contents |= {'torchvision': {}, 'torchvision.transforms': transforms}
    else:
        _declare_torchvision_operators()
    if not _is_importable('xtcocotools.cocoeval', 'numpy'):  # compiled for another NumPy, it says so
        from pycocotools import mask

        from dyconv_pose.evaluation.cocoeval import COCO, COCOeval

        contents |= {'xtcocotools': {}, 'xtcocotools.mask': vars(mask)}
        contents |= {'xtcocotools.coco': {'COCO': COCO}, 'xtcocotools.cocoeval': {'COCOeval': COCOeval}}
    mocks = {name: ModuleType(name, 'Stand-in of dyconv_pose.compat for what is not installed.') for name in contents}
    for name, module in mocks.items():
        module.__dict__.update((key, value) for key, value in contents[name].items() if key[0] != '_')
    sys.modules.update(mocks)
    try:
        yield
    finally:
        for name in mocks:
            sys.modules.pop(name, None)


def _unavailable(module: str, name: str, remedy: str) -> dict[str, type]:
    """A class that can be imported and subclassed, but says what to install as soon as it is used or called."""

    def __init__(self: object, *args, **kwargs) -> NoReturn:  # noqa: N807
        raise ImportError(f'{module}.{name} is needed here but is not installed: install {remedy}.')

    return {name: type(name, (), {'__init__': __init__, '__module__': module})}


def _is_importable(module: str, known: str) -> bool:
    """Whether a module's package is there and imports; it is forgotten where it raises an error with a known word."""
    package = module.partition('.')[0]
    if find_spec(package) is None:
        return False
    try:
        importlib.import_module(module)
        return True
    except (ImportError, RuntimeError, ValueError) as error:
        if known not in str(error).lower():
            raise
        for name in [name for name in sys.modules if name.partition('.')[0] == package]:
            del sys.modules[name]
        return False


def _declare_torchvision_operators() -> None:
    """Declares the operators that the Python part of a torchvision built for CUDA looks for beside a CPU-only PyTorch.

    Its compiled library, which declares them, does not load there. They stay without an implementation, which is said
    when one is called; image transforms do not need them.
    """
    if not _is_importable('torchvision', 'operator torchvision::'):
        import torch

        library = torch.library.Library('torchvision', 'FRAGMENT')
        for operator in ('nms', 'qnms'):
            library.define(f'{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
        _LIBRARIES.append(library)
        importlib.import_module('torchvision')
