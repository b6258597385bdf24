"""Imports MMPose whole, with stand-ins for what is absent, and then every module that registers a component."""

import warnings

from .compat import stand_ins

with stand_ins(), warnings.catch_warnings():
    # An MMCV without compiled operators warns at import of one that no network here uses.
    warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')
    import mmpose.apis  # noqa: F401
    import mmpose.datasets  # noqa: F401
    import mmpose.engine  # noqa: F401
    import mmpose.evaluation  # noqa: F401
    import mmpose.models  # noqa: F401
    import mmpose.visualization  # noqa: F401

from . import engine, models  # noqa: E402, F401
