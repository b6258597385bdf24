"""The body parts a rendered pixel can belong to, and which of them carry which joint."""

from enum import IntEnum

import numpy as np

from .body import KEYPOINT_NAMES


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
