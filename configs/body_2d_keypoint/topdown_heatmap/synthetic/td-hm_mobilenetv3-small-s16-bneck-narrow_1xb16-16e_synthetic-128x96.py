# Trained on 4,000 drawn pictures (about 8,000 persons); checkpoints/README.md has the commands.
_base_ = [
    '../../../_base_/schedules/adam_16e_cpu.py',
    '../../../_base_/datasets/synthetic_128x96.py',
    '../../../_base_/models/mobilenetv3-small-s16-bneck-narrow.py',
]

model = dict(head=dict(decoder=_base_.codec))
