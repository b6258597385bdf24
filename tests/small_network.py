"""A small dynamic network with every kind of layer, lively without training."""

from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
CONFIG = (
    ROOT / 'configs/body_2d_keypoint/topdown_heatmap/coco/'
    'td-hm_dy-mobilenetv3-small-s16-bneck-narrow_demo_coco-128x96.py'
)
CONV_CFG = dict(type='DyConv2d', num_kernels=3, reduction=4, temperature=2.0)


def small_config(config, channels=(16,)):
    """Makes the network of a config small: dense, pointwise and depthwise dynamic layers, static ones, upsampling.

    Dynamic layers are few, since exporting takes its time by the layer. Each entry of ``channels`` is a stage of the
    head, which doubles the resolution; three give heatmaps at a quarter of the input's, as the configs' targets have.
    """
    config.model.backbone = dict(
        type='DyResNet', depth=10, stem_channels=8, base_channels=8, conv_cfg=CONV_CFG, dynamic_convs=['layer4.*']
    )
    config.model.head.update(
        in_channels=64,
        stage_out_channels=channels,
        stage_hidden_channels=((None,),) * len(channels),
        conv_cfg=CONV_CFG,
    )
    return config


def stir(model, attention=3.0):
    """Gives normalisation statistics and attention that matter, at random."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.1)
        elif type(module).__name__ == 'KernelAttention':
            torch.nn.init.normal_(module.excite.weight, std=attention)
    model.eval()
    return model


def enliven(model):
    """Lets heatmaps depend on the input and vary between places, as after training."""
    stir(model)
    for parameter in model.head.final_layer.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return model
