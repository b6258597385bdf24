# The paper's network on a CPU, at a quarter of the paper's input and with the recipe for few photographs.
_base_ = [
    '../../../_base_/schedules/adam_36e_cpu.py',
    '../../../_base_/datasets/coco+lspet_128x96.py',
    '../../../_base_/models/mobilenetv3-small-bneck.py',
]

model = dict(head=dict(decoder=_base_.codec))
