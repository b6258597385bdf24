# Static against dynamic on a few thousand photographs, at 128x96, with heads a quarter as wide as the paper's: for
# one CPU core.
_base_ = ['./_base_/photographs_128x96.py']

title = 'Static against dynamic on a few thousand photographs, small networks on a CPU'

_folder = 'configs/body_2d_keypoint/topdown_heatmap/coco/'
_tail = '-bneck-narrow_1xb16-36e_coco+lspet-128x96.py'

networks = {
    'mobilenetv3-small': dict(config=f'{_folder}td-hm_mobilenetv3-small{_tail}'),
    'dy-mobilenetv3-small': dict(config=f'{_folder}td-hm_dy-mobilenetv3-small{_tail}'),
    'mobilenetv2-x0.5': dict(config=f'{_folder}td-hm_mobilenetv2-x0.5{_tail}'),
    'dy-mobilenetv2-x0.5': dict(config=f'{_folder}td-hm_dy-mobilenetv2-x0.5{_tail}'),
}
comparisons = [('dy-mobilenetv3-small', 'mobilenetv3-small'), ('dy-mobilenetv2-x0.5', 'mobilenetv2-x0.5')]
seeds = [0, 1, 2]
