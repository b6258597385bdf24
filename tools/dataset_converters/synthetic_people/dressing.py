"""Dresses a skeleton: from joints and looks to the solids that are drawn."""

from .appearance import Appearance
from .body import SIDES, Build, Skeleton
from .extras import add_backpack, add_skirt, add_stool
from .figure import Figure
from .heads import head_solids
from .limbs import add_arm, add_foot, add_leg
from .poses import Pose
from .solids import Solid
from .trunk import add_trunk


def person_solids(skeleton: Skeleton, build: Build, looks: Appearance, pose: Pose) -> list[Solid]:
    """Returns every solid of a person, in the skeleton's axes."""
    figure = Figure(skeleton, build, looks)
    add_trunk(figure)
    for side in SIDES:
        add_arm(figure, side)
        add_leg(figure, side)
        add_foot(figure, side)
    if looks.lower != 'trousers':
        add_skirt(figure)
    if looks.backpack is not None:
        add_backpack(figure, looks.backpack)
    if pose.seat:
        add_stool(figure)
    return figure.solids + head_solids(skeleton, build, looks)
