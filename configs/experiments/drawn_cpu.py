# Static against dynamic on drawn people without end: no picture comes twice, so nothing can be learnt by heart. At
# 128x96, with the narrow network at stride 16, on one CPU core; python tools/make_sample_set.py draws what is scored.
title = 'Static against dynamic on drawn people, other pictures in every epoch'

_base_ = ['./_base_/drawn_128x96.py']

_folder = 'configs/body_2d_keypoint/topdown_heatmap/synthetic/'
_tail = 'mobilenetv3-small-s16-bneck-narrow_1xb16-12e_synthetic-128x96.py'

networks = {
    'mobilenetv3-small-s16': dict(config=f'{_folder}td-hm_{_tail}'),
    'dy-mobilenetv3-small-s16': dict(config=f'{_folder}td-hm_dy-{_tail}'),
}
comparisons = [('dy-mobilenetv3-small-s16', 'mobilenetv3-small-s16')]
seeds = [0, 1, 2]
