_base_ = ['./td-hm_mobilenetv2_8xb64-210e_coco-256x192.py']

model = dict(head=dict(type='BottleneckHead'))
