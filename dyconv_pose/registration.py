"""Imports MMPose whole, with stand-ins for what is absent, and then every module that registers a component."""

import warnings

from .compat import mock_missing_modules

with mock_missing_modules(), warnings.catch_warnings():
    # An MMCV without compiled operators warns at import of one that no network here uses.
    warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')
    import mmpose.apis  # noqa: F401
    from mmpose.utils import register_all_modules

    register_all_modules(init_default_scope=False)

from . import engine, models  # noqa: F401
from .datasets import samplers  # noqa: F401
