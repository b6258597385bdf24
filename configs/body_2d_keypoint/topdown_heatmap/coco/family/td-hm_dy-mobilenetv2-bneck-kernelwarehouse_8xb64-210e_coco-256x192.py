_base_ = ['./td-hm_dy-mobilenetv2-x0.5-bneck-kernelwarehouse_8xb64-210e_coco-256x192.py']

model = dict(backbone=dict(widen_factor=1.0))
