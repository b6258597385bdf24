# Static against dynamic on a few thousand photographs with the paper's networks, input (256x192), augmentation and
# optimiser, for one GPU: 210 epochs with the learning rate lowered after 170 and 200, in batches of 64.
_base_ = ['./_base_/photographs_256x192.py']

title = "Static against dynamic on a few thousand photographs, the paper's networks on a GPU"

_folder = 'configs/body_2d_keypoint/topdown_heatmap/coco/'
_tail = '-bneck_8xb64-210e_coco-256x192.py'

networks = {
    'mobilenetv3-small': dict(config=f'{_folder}td-hm_mobilenetv3-small{_tail}'),
    'dy-mobilenetv3-small': dict(config=f'{_folder}td-hm_dy-mobilenetv3-small{_tail}'),
    'mobilenetv2-x0.5': dict(config=f'{_folder}td-hm_mobilenetv2-x0.5{_tail}'),
    'dy-mobilenetv2-x0.5': dict(config=f'{_folder}td-hm_dy-mobilenetv2-x0.5{_tail}'),
}
comparisons = [('dy-mobilenetv3-small', 'mobilenetv3-small'), ('dy-mobilenetv2-x0.5', 'mobilenetv2-x0.5')]
seeds = [0, 1, 2]
