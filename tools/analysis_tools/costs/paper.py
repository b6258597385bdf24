"""The figures that the paper states for its networks; none was measured here.

"Dynamic Convolution: Attention over Convolution Kernels", Chen, Dai, Liu, Chen, Yuan, Liu, CVPR 2020. Marks say how
sure a row is: ``'P'`` published and confirmed from a second source, ``'R'`` recalled from the paper's tables and not
confirmed cell by cell, ``''`` not classified. Counts are rounded as the paper rounds them.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class ImageNetRow:
    """A dynamic network of the paper's classification table: 224x224, 1000 classes.

    Attributes:
        name: The network.
        config: The name of the static twin's config, without ``.py``; the network's own begins with ``dy-``.
        backbone: Its config in MMPose's registry, without ``conv_cfg``.
        params: Parameters.
        madds: Multiply-adds.
        gflops: Giga-FLOPs as a summary of the paper states them, for the larger number of digits.
        features: Channels of the backbone's output.
        hidden: Widths of what MobileNetV3 has between backbone and classifier: a 1x1 convolution, a linear layer.
        top1: Top-1 accuracy in percent of the static and of the dynamic network.
        mark: How sure ``top1`` is.
        static_madds: Multiply-adds of the static network where they are known; that of MobileNetV3-Small is an early
            version of the network, whose table of blocks is not MMPose's.
    """

    name: str
    config: str
    backbone: dict
    params: float
    madds: float
    gflops: float
    features: int
    top1: tuple[float, float]
    hidden: tuple[int, ...] = ()
    mark: str = ''
    static_madds: float | None = None


@dataclass(frozen=True)
class CocoRow:
    """A network of the paper's keypoint table: COCO val2017, 256x192.

    Attributes:
        name: The network; type A has three deconvolutions as its head, type B light bottlenecks.
        config: The name of the experiment's config, without ``.py``.
        backbone: Parameters and multiply-adds of the backbone.
        ap: AP, AP50, AP75, AP(M), AP(L) and AR in percent; ``None`` where it is not known.
        mark: How sure the row is.
        head: Parameters and multiply-adds of the head; ``None`` where it is not known.
        total_params: Parameters in all, where stated.
        note: What a reader of ``head`` must know.
    """

    name: str
    config: str
    backbone: tuple[float, float]
    ap: tuple[float | None, ...]
    mark: str
    head: tuple[float | None, float | None] = (None, None)
    total_params: float | None = None
    note: str = ''


def _mobilenetv2(width: float, **figures: object) -> ImageNetRow:
    backbone = dict(type='DyMobileNetV2', widen_factor=width)
    config = f'mobilenetv2-x{width}_8xb32-300e_in1k'
    return ImageNetRow(f'DY-MobileNetV2 x{width}', config, backbone, features=1280, **figures)


def _resnet(depth: int, **figures: object) -> ImageNetRow:
    config, backbone = f'res{depth}_8xb32-100e_in1k', dict(type='DyResNet', depth=depth)
    return ImageNetRow(f'DY-ResNet-{depth}', config, backbone, features=512, **figures)


IMAGENET = (
    _mobilenetv2(1.0, params=11.1e6, madds=312.9e6, gflops=0.626, top1=(72.0, 75.2)),
    _mobilenetv2(0.75, params=7.0e6, madds=217.5e6, gflops=0.435, top1=(69.8, 72.8), mark='R'),
    _mobilenetv2(0.5, params=4.0e6, madds=101.4e6, gflops=0.203, top1=(65.4, 69.9)),
    _mobilenetv2(0.35, params=2.8e6, madds=62.0e6, gflops=0.124, top1=(60.3, 65.9), mark='R'),
    ImageNetRow(
        'DY-MobileNetV3-Small',
        'mobilenetv3-small_8xb32-300e_in1k',
        dict(type='DyMobileNetV3', arch='small'),
        params=4.8e6,
        madds=68.5e6,
        gflops=0.137,
        features=96,
        hidden=(576, 1280),
        top1=(67.4, 70.3),
        static_madds=66.0e6,
    ),
    _resnet(18, params=42.7e6, madds=1.85e9, gflops=3.7, top1=(70.4, 72.7)),
    _resnet(10, params=18.6e6, madds=0.91e9, gflops=1.82, top1=(63.5, 67.7)),
)


def _row(
    name: str, config: str, backbone: tuple, ap: tuple, mark: str = 'R', head: tuple = (None, None), **more: object
) -> CocoRow:
    return CocoRow(name, f'td-hm_{config}_8xb64-210e_coco-256x192', backbone, ap, mark, head, **more)


_STATIC_HEAD, _DYNAMIC_HEAD = (1.2e6, 701.1e6), (6.3e6, 709.4e6)
_ABOUT = dict(mark='R; gain P', note='head: about')

COCO = (
    _row('A ResNet-18', 'res18', (10.6e6, 1.77e9), (67.0, 87.9, 74.8, 63.6, 73.5, 73.1)),
    _row('A DY-ResNet-18', 'dy-res18', (42.2e6, 1.81e9), (68.6, 88.4, 76.1, 65.3, 75.1, 74.6)),
    _row('A MobileNetV2 x1.0', 'mobilenetv2', (2.2e6, 292.6e6), (64.7, 87.2, 72.6, 61.3, 71.0, 71.0)),
    _row('A DY-MobileNetV2 x1.0', 'dy-mobilenetv2', (9.8e6, 305.3e6), (67.6, 88.1, 75.5, 64.5, 73.7, None)),
    _row('A MobileNetV2 x0.5', 'mobilenetv2-x0.5', (0.7e6, 93.7e6), (57.0, 83.7, 63.1, 53.9, 63.1, 63.7)),
    _row('A DY-MobileNetV2 x0.5', 'dy-mobilenetv2-x0.5', (2.7e6, 98.0e6), (61.9, 85.8, 69.7, 58.9, 67.9, None)),
    _row('A MobileNetV3-Small', 'mobilenetv3-small', (1.1e6, 62.7e6), (57.1, 83.8, 63.7, 55.0, 62.2, 64.1)),
    _row('A DY-MobileNetV3-Small', 'dy-mobilenetv3-small', (2.8e6, 65.1e6), (59.3, 84.7, 66.7, 56.9, 64.7, 66.1)),
    _row('B MobileNetV2 x1.0', 'mobilenetv2-bneck', (2.2e6, 292.6e6), (64.6, 87.0, 72.4, 61.3, 71.0, 71.0), 'R',
         _STATIC_HEAD),
    _row('B DY-MobileNetV2 x1.0', 'dy-mobilenetv2-bneck', (9.8e6, 305.3e6), (68.2, 88.4, 76.0, 65.0, 74.7, 74.2), 'P',
         _DYNAMIC_HEAD, total_params=16.1e6),
    _row('B MobileNetV2 x0.5', 'mobilenetv2-x0.5-bneck', (0.7e6, 93.7e6), (59.2, 84.3, 66.4, 56.2, 65.0, 65.6), 'P: AP',
         _STATIC_HEAD),
    _row('B DY-MobileNetV2 x0.5', 'dy-mobilenetv2-x0.5-bneck', (2.7e6, 98.0e6), (62.8, 86.1, 70.4, 59.9, 68.6, 69.1),
         'P: AP', _DYNAMIC_HEAD),
    _row('B MobileNetV3-Small', 'mobilenetv3-small-bneck', (1.1e6, 62.7e6), (57.1, 83.8, 63.7, 54.9, 62.3, 64.1),
         head=(1.0e6, None), **_ABOUT),
    _row('B DY-MobileNetV3-Small', 'dy-mobilenetv3-small-bneck', (2.8e6, 65.1e6), (60.0, 85.0, 67.8, 57.6, 65.4, 66.7),
         head=(4.9e6, None), **_ABOUT),
)  # fmt: skip

#: Which parts of type B MobileNetV2 x0.5 are dynamic, and the AP that the paper states; all of them marked 'P'.
COCO_ABLATION = {'none': 59.2, 'head': 60.3, 'backbone': 62.3, 'backbone and head': 62.8}
