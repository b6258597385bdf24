"""Collects the solids of a body, each given in the coordinates of a joint and a bone."""

from enum import IntEnum

import numpy as np

from .appearance import Appearance
from .body import KEYPOINT_NAMES, Build, Skeleton
from .paints import patterned, plain
from .solids import Paint, Solid


class Part(IntEnum):
    """Part of a rendered person; PROP is carried or sat upon and no part of the body."""

    NONE = 0
    TORSO = 1
    NECK = 2
    HEAD = 3
    HAIR = 4
    LEFT_EAR = 5
    RIGHT_EAR = 6
    LEFT_UPPER_ARM = 7
    RIGHT_UPPER_ARM = 8
    LEFT_FOREARM = 9
    RIGHT_FOREARM = 10
    LEFT_HAND = 11
    RIGHT_HAND = 12
    LEFT_THIGH = 13
    RIGHT_THIGH = 14
    LEFT_SHIN = 15
    RIGHT_SHIN = 16
    LEFT_FOOT = 17
    RIGHT_FOOT = 18
    SKIRT = 19
    PROP = 20


# A joint is seen where one of its parts is in front and its surface lies no further
# before the joint's centre than this depth, in statures.
_CARRIERS = {
    'nose': (('HEAD',), 0.03),
    'eye': (('HEAD',), 0.025),
    'ear': (('*_EAR', 'HEAD'), 0.03),
    'shoulder': (('TORSO', 'NECK', '*_UPPER_ARM'), 0.080),
    'elbow': (('*_UPPER_ARM', '*_FOREARM'), 0.060),
    'wrist': (('*_FOREARM', '*_HAND'), 0.048),
    'hip': (('TORSO', '*_THIGH', 'SKIRT'), 0.128),
    'knee': (('*_THIGH', '*_SHIN', 'SKIRT'), 0.080),
    'ankle': (('*_SHIN', '*_FOOT', 'SKIRT'), 0.062),
}


def _carrier_table() -> tuple[np.ndarray, np.ndarray]:
    carries = np.zeros((len(KEYPOINT_NAMES), len(Part)), bool)
    reach = np.zeros(len(KEYPOINT_NAMES))
    for row, name in enumerate(KEYPOINT_NAMES):
        side, _, joint = name.rpartition('_')
        parts, reach[row] = _CARRIERS[joint]
        for part in parts:
            carries[row, Part[part.replace('*', side.upper())]] = True
    return carries, reach


CARRIES, REACH = _carrier_table()
"""(17, parts) bool and (17,) float64: see `_CARRIERS`."""


ROUND = (1.0, 1.0, 1.0)


class Figure:
    """The solids of one person, and what all of them are made from.

    Attributes:
        points, frames: Of the skeleton, by name.
        build, looks: Of the person.
        solids: What was added so far.
        skin, cloth, below: Paints of bare skin, the upper and the lower garment.
    """

    def __init__(self, skeleton: Skeleton, build: Build, looks: Appearance) -> None:
        self.points, self.frames = skeleton.points, skeleton.frames
        self.build, self.looks = build, looks
        self.solids: list[Solid] = []
        self.skin = plain(looks.skin)
        self.cloth = patterned(looks.pattern, looks.top, looks.top_second, looks.pitch)
        self.below = plain(looks.top if looks.lower == 'dress' else looks.bottom)

    def add(
        self,
        part: Part,
        at: str,
        frame: str,
        start: tuple,
        end: tuple,
        radii: tuple[float, float],
        paint: Paint,
        stretch: tuple[float, float, float] = ROUND,
        cut: tuple[float, float, float, float] | None = None,
        paint_at: tuple[str, str] | None = None,
    ) -> None:
        """Adds a solid given in the coordinates of a joint and a bone, in statures."""
        stretch = np.array(stretch)
        at_paint, frame_paint = paint_at or (at, frame)
        if cut is not None:
            cut = (*(stretch * cut[:3]), cut[3])
        self.solids.append(
            Solid(
                part,
                self.points[at],
                self.frames[frame] * stretch,
                np.array(start, float) / stretch,
                np.array(end, float) / stretch,
                radii,
                paint,
                (self.frames[frame_paint], self.points[at_paint]),
                cut,
            )
        )
