_base_ = [
    '../../../_base_/schedules/adam_36e_cpu.py',
    '../../../_base_/datasets/coco+lspet_128x96.py',
    '../../../_base_/models/mobilenetv2-x0.5-bneck-narrow.py',
]

model = dict(head=dict(decoder=_base_.codec))
