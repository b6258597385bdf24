"""What the authors of the family's operators state for MobileNetV2 on ImageNet; none was measured here.

Where they count multiply-adds they count each scaling of a kernel or feature too; here products alone are counted.
"""

from dataclasses import dataclass, replace

from .paper import IMAGENET, ImageNetRow


@dataclass(frozen=True)
class AuthorsRow:
    """A dynamic MobileNetV2, 224x224, 1000 classes, with its authors' figures in millions, as they round them."""

    operator: str
    conv_cfg: dict | None
    width: str  # as in names, such as 'x1.0'
    params: float
    madds: float | None  # ``None`` where they state none
    source: str
    static: tuple[str, ...] | None = None  # convolutions that they leave static; ``None`` as in CVPR 2020's networks

    def network(self) -> ImageNetRow:
        """The same network of this project, to be counted with ``conv_cfg``."""
        row = next(row for row in IMAGENET if row.name == f'DY-MobileNetV2 {self.width}')
        if self.static is None:
            return row
        network = {**row.backbone, 'type': 'MobileNetV2'}
        return replace(row, backbone=dict(type='dynamic', network=network, exclude=self.static))


_ODCONV, _WAREHOUSE = 'github.com/OSVAI/ODConv', 'github.com/OSVAI/KernelWarehouse'
#: The stages whose layers share cells in the authors' KernelWarehouse: each begins after a stage's first block.
_STAGES = [
    ['layer1.*', 'layer2.0.*'],
    ['layer2.[1-9].*', 'layer3.0.*'],
    ['layer3.[1-9].*', 'layer4.0.*'],
    ['layer4.[1-9].*', 'layer5.0.*'],
    ['layer5.[1-9].*', 'layer6.0.*'],
    ['layer6.[1-9].*', 'layer7.*', 'conv2.*'],
]
_LAYERS = {
    'DyConv2d': dict(type='DyConv2d', num_kernels=4, reduction=4, temperature=30),
    'ODConv2d, K = 1': dict(type='ODConv2d', num_kernels=1),
    'ODConv2d, K = 4': dict(type='ODConv2d', num_kernels=4),
    'KernelWarehouse2d, budget 1': dict(
        type='KernelWarehouse2d', budget=1, warehouses=[dict(layers=stage) for stage in _STAGES]
    ),
}


def _row(operator: str, width: str, params: float, madds: float | None, source: str, *static: str) -> AuthorsRow:
    places = None if operator in ('static', 'DyConv2d') else static
    return AuthorsRow(operator, _LAYERS.get(operator), width, params, madds, source, places)


AUTHORS = (
    _row('static', 'x1.0', 3.50, 300.8, _ODCONV),
    _row('DyConv2d', 'x1.0', 11.1, 312.9, 'CVPR 2020'),
    _row('ODConv2d, K = 1', 'x1.0', 4.94, 311.8, _ODCONV, 'conv1.*'),
    _row('ODConv2d, K = 4', 'x1.0', 11.51, 327.1, _ODCONV, 'conv1.*'),
    _row('KernelWarehouse2d, budget 1', 'x1.0', 5.17, None, _WAREHOUSE),
    _row('static', 'x0.5', 1.97, 97.1, _ODCONV),
    _row('DyConv2d', 'x0.5', 4.0, 101.4, 'CVPR 2020'),
    _row('ODConv2d, K = 1', 'x0.5', 2.43, 101.8, _ODCONV, 'conv1.*'),
    _row('ODConv2d, K = 4', 'x0.5', 4.44, 106.4, _ODCONV, 'conv1.*'),
    _row('KernelWarehouse2d, budget 1', 'x0.5', 2.85, None, _WAREHOUSE),
)
