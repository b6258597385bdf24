"""What a figure depends on beside the code: versions of packages, and the processor."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

#: Packages whose versions a result depends on; of MMEngine and MMCV, whichever is installed.
_PACKAGES = ('torch', 'mmpose', 'onedl-mmengine', 'mmengine', 'onedl-mmcv', 'mmcv', 'mmcv-lite', 'pycocotools', 'numpy')


def versions() -> dict[str, str]:
    """The versions of the packages that a result depends on."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine() -> str:
    """The processor's name where the system tells it, how many threads PyTorch uses, and the GPU if there is one."""
    import torch

    name = platform.processor() or platform.machine()
    info = Path('/proc/cpuinfo')
    if info.is_file():
        models = [line.partition(':')[2].strip() for line in info.read_text().splitlines() if 'model name' in line]
        name = models[0] if models else name
    gpu = f', {torch.cuda.get_device_name()}' if torch.cuda.is_available() else ''
    return f'{name}, {torch.get_num_threads()} thread{"s" if torch.get_num_threads() > 1 else ""}{gpu}'
