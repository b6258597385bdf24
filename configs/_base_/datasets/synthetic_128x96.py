# The sample set of tools/dataset_converters/make_sample_set.py, in COCO's layout under data/synthetic.
_base_ = ['./coco_128x96.py']

data_root = 'data/synthetic/'

train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader

val_evaluator = dict(ann_file=data_root + 'annotations/person_keypoints_val2017.json')
test_evaluator = val_evaluator
