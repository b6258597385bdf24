"""Brings one person into being and finds them a place in the picture."""

from dataclasses import dataclass

import numpy as np

from .appearance import Appearance, sample_appearance
from .body import Build, Skeleton, pose_skeleton, sample_build
from .dressing import person_solids
from .poses import Pose, sample_pose
from .rotations import rot_x, rot_y, rot_z
from .solids import Solid, bounds_of


@dataclass
class Person:
    """A person as the camera sees them, not yet placed.

    Attributes:
        build, pose, looks: What they are.
        skeleton: In camera axes, lengths in statures.
        solids: In camera axes, lengths in statures.
        yaw: Degrees; 0 faces the camera, 180 turns the back on it.
    """

    build: Build
    pose: Pose
    looks: Appearance
    skeleton: Skeleton
    solids: list[Solid]
    yaw: float

    def extent(self) -> np.ndarray:
        """Returns (4,) x_min, x_max, y_min, y_max of the body, statures."""
        bounds = bounds_of(self.solids)
        return np.array([bounds[:, 0].min(), bounds[:, 1].max(), bounds[:, 2].min(), bounds[:, 3].max()])


def sample_yaw(rng: np.random.Generator) -> float:
    """Draws which way a person faces: front more often than back, some profiles."""
    facing = rng.choice(3, p=[0.52, 0.26, 0.22])
    centre = (0.0, 180.0, 90.0 * rng.choice([-1, 1]))[facing]
    return centre + rng.normal(0, (28, 24, 18)[facing])


def make_person(rng: np.random.Generator, pitch: float, yaw: float | None = None, pose: Pose | None = None) -> Person:
    """Makes a person.

    Args:
        rng: Source of chance.
        pitch: How far the camera looks down, degrees.
        yaw: Which way the person faces, degrees; None draws it.
        pose: None draws it.
    """
    build = sample_build(rng)
    pose = sample_pose(rng) if pose is None else pose
    yaw = sample_yaw(rng) if yaw is None else yaw
    looks = sample_appearance(rng, build, pose)
    view = rot_z(rng.normal(0, 2.0)) @ rot_x(pitch) @ rot_y(yaw)
    upright = pose_skeleton(build, pose)
    solids = person_solids(upright, build, looks, pose)
    for solid in solids:
        solid.origin = view @ solid.origin
        solid.axes = view @ solid.axes
        rotation, origin = solid.paint_frame
        solid.paint_frame = (view @ rotation, view @ origin)
    return Person(build, pose, looks, upright.rotated(view), solids, yaw)
