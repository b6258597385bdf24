# MMPose's own runtime settings, and the one line that makes this project's components known to any MMPose tool;
# checkpoints are written whole or not at all, a NaN or infinite loss stops the run, a score of -1 is explained.
_base_ = ['mmpose::_base_/default_runtime.py']

custom_imports = dict(imports=['dyconv_pose.registration'], allow_failed_imports=False)

# Epochs that resume bit for bit, also in their middle; ResumableIterLoop counts iterations.
train_cfg = dict(_delete_=True, type='ResumableEpochLoop')

default_hooks = dict(
    checkpoint=dict(type='SafeCheckpointHook'),
    non_finite_loss=dict(type='NonFiniteLossHook'),
    undefined_scores=dict(type='UndefinedScoreHook'),
    visualization=dict(type='DrawPredictionsHook'),
)
