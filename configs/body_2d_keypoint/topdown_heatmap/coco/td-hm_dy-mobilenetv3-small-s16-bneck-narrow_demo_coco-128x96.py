_base_ = ['../synthetic/td-hm_dy-mobilenetv3-small-s16-bneck-narrow_demo_synthetic-128x96.py']

data_root = 'data/coco/'

train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader

val_evaluator = dict(ann_file=data_root + 'annotations/person_keypoints_val2017.json')
test_evaluator = val_evaluator
