"""Makes MMPose importable where packages that it names at import time are absent.

MMPose 1.3 imports four things at the top of modules that every user loads: the compiled operators of MMCV
(one head), MMDetection (one head), torchvision (one drawing helper) and xtcocotools (the COCO evaluator, whose
wheels are built for NumPy 1). No pose network of this project uses the first three, and pycocotools, the
official evaluator, does the work of the fourth.

:func:`stand_ins` supplies exactly the missing names while MMPose is being imported, and takes them away again:
afterwards ``import torchvision`` fails as it did before. A package that is installed is always used as it is,
and an installed package that is broken raises its own error. The one exception is an xtcocotools that was compiled
for another NumPy than the installed one: it is replaced as if it were absent.
"""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import NoReturn

_REMEDIES = {
    'mmcv.ops': 'install an MMCV with compiled operators ("mmcv", not its lite build)',
    'mmdet.utils': 'install MMDetection ("mmdet")',
    'torchvision.transforms': 'install torchvision',
}


def _unavailable(module: str, name: str) -> type:
    """A class that can be imported and subclassed, but says what to install as soon as it is used."""

    def __init__(self: object, *args, **kwargs) -> NoReturn:  # noqa: N807
        raise ImportError(f'{module}.{name} is needed here but is not installed: {_REMEDIES[module]}.')

    return type(name, (), {'__init__': __init__, '__module__': module})


def _module(name: str, **contents: object) -> ModuleType:
    module = ModuleType(name, 'Stand-in of dyconv_pose.compat for a package that is not installed.')
    module.__dict__.update(contents)
    return module


def _package(name: str, *submodules: ModuleType) -> dict[str, ModuleType]:
    """A package stand-in and its submodules, ready for ``sys.modules``."""
    package = _module(name, __path__=[])
    modules = {name: package}
    for submodule in submodules:
        setattr(package, submodule.__name__.rpartition('.')[2], submodule)
        modules[submodule.__name__] = submodule
    return modules


def _mmcv_ops() -> dict[str, ModuleType]:
    if importlib.util.find_spec('mmcv') is None or importlib.util.find_spec('mmcv._ext') is not None:
        return {}
    name = 'MultiScaleDeformableAttention'
    return {'mmcv.ops': _module('mmcv.ops', **{name: _unavailable('mmcv.ops', name)})}


def _mmdet() -> dict[str, ModuleType]:
    if importlib.util.find_spec('mmdet') is not None:
        return {}

    def reduce_mean(tensor: object) -> object:
        raise ImportError(f'mmdet.utils.reduce_mean is needed here but is not installed: {_REMEDIES["mmdet.utils"]}.')

    return _package('mmdet', _module('mmdet.utils', ConfigType=dict, reduce_mean=reduce_mean))


def _torchvision() -> dict[str, ModuleType]:
    if importlib.util.find_spec('torchvision') is not None:
        _declare_torchvision_operators()
        return {}
    name, to_pil = 'torchvision.transforms', 'ToPILImage'
    return _package('torchvision', _module(name, **{to_pil: _unavailable(name, to_pil)}))


def _declare_torchvision_operators() -> None:
    """Declares the operators without which a torchvision built for CUDA cannot be imported beside a CPU-only PyTorch.

    Its compiled library does not load there, and its Python part then looks for what that library declares. The
    operators stay without an implementation, which is said when one is called; image transforms do without them.
    """
    try:
        importlib.import_module('torchvision')
    except RuntimeError as error:
        if 'operator torchvision::' not in str(error):
            raise
        for name in [name for name in sys.modules if name.partition('.')[0] == 'torchvision']:
            del sys.modules[name]
        import torch

        library = torch.library.Library('torchvision', 'FRAGMENT')
        for operator in ('nms', 'qnms'):
            library.define(f'{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor')
        _LIBRARIES.append(library)
        importlib.import_module('torchvision')


#: Declarations of operators, which last as long as these objects.
_LIBRARIES: list[object] = []


def _xtcocotools() -> dict[str, ModuleType]:
    if importlib.util.find_spec('xtcocotools') is not None:
        try:
            importlib.import_module('xtcocotools.cocoeval')
            return {}
        except (ImportError, ValueError) as error:  # compiled for another NumPy, it raises either of the two
            if 'numpy' not in str(error).lower():
                raise
            for name in [name for name in sys.modules if name.partition('.')[0] == 'xtcocotools']:
                del sys.modules[name]
    from pycocotools import mask

    from dyconv_pose.evaluation.cocoeval import COCO, COCOeval

    return _package(
        'xtcocotools',
        _module('xtcocotools.coco', COCO=COCO),
        _module('xtcocotools.cocoeval', COCOeval=COCOeval),
        _module('xtcocotools.mask', **{name: getattr(mask, name) for name in dir(mask) if name[0] != '_'}),
    )


@contextmanager
def stand_ins() -> Iterator[None]:
    """Lets MMPose be imported inside the ``with`` block.

    Raises:
        ModuleNotFoundError: pycocotools is needed and absent.
    """
    supplied = {**_mmcv_ops(), **_mmdet(), **_torchvision(), **_xtcocotools()}
    sys.modules.update(supplied)
    try:
        yield
    finally:
        for name in supplied:
            sys.modules.pop(name, None)
