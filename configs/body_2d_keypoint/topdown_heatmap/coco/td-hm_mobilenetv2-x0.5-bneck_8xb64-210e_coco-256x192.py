_base_ = ['./td-hm_mobilenetv2-x0.5_8xb64-210e_coco-256x192.py']

model = dict(head=dict(type='BottleneckHead'))
