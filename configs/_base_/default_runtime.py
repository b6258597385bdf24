# MMPose's own runtime settings, and the one line that makes this project's components known to any MMPose tool.
_base_ = ['mmpose::_base_/default_runtime.py']

custom_imports = dict(imports=['dyconv_pose'], allow_failed_imports=False)
