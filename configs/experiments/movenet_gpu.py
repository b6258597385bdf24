# movenet_cpu.py on one GPU: forward passes in float16.
_base_ = ['./movenet_cpu.py']

options = dict(optim_wrapper=dict(type='AmpOptimWrapper'), model=dict(train_cfg=dict(compute_acc=False)))
