_base_ = ['./td-hm_mobilenetv3-small_8xb64-210e_coco-256x192.py']

model = dict(head=dict(type='BottleneckHead'))
