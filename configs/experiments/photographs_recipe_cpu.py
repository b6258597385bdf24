# What the loss's factor of a thousand does for the static network, before the recipe of photographs_cpu.py was fixed:
# one check, with a seed that is none of that experiment's. Learning rate, cosine and augmentation were chosen without a
# record. No dynamic network was looked at. Losses differ by the factor and don't compare.
_base_ = ['./_base_/photographs_128x96.py']

title = 'A check of the recipe, on the static network alone'

_folder = 'configs/body_2d_keypoint/topdown_heatmap/coco/'
_config = f'{_folder}td-hm_mobilenetv3-small-bneck-narrow_1xb16-36e_coco+lspet-128x96.py'
_weight = 'model.head.loss.loss_weight'
_rate = 'optim_wrapper.optimizer.lr'

networks = {
    'rate-0.002': dict(config=_config, options={_weight: 1, _rate: 2e-3}),
    'rate-0.002-loss-1000': dict(config=_config, options={_weight: 1000, _rate: 2e-3}),
}
comparisons = [('rate-0.002-loss-1000', 'rate-0.002')]
seeds = [100]
