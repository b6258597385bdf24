"""Brings people into being and finds them places in the image, on one common ground."""

from dataclasses import dataclass

import numpy as np

from .person.appearance import Appearance, sample_appearance
from .person.body import Build, Skeleton, pose_skeleton, rot_x, rot_y, rot_z, sample_build
from .person.flesh import person_solids
from .person.poses import Pose, sample_pose
from .person.solids import Solid, bounds_of


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
        rng: Random generator.
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


@dataclass
class Placement:
    """A person in the image.

    Attributes:
        person: Who.
        centre_xy: (2,) where the pelvis is, pixels.
        scale: Pixels per stature.
        box_xyxy: (4,) of the whole body, before anything hides it, pixels.
    """

    person: Person
    centre_xy: np.ndarray
    scale: float
    box_xyxy: np.ndarray


def place_people(rng: np.random.Generator, image_size_wh: tuple[int, int]) -> tuple[list[Placement], int]:
    """Draws who is in the image and where, the furthest first.

    Returns:
        The placements and the row of the horizon, pixels.
    """
    width, height = image_size_wh
    pitch = float(np.clip(rng.normal(7, 8), -12, 28))
    horizon = rng.uniform(0.15, 0.6) * height
    tallest = min(0.97, rng.uniform(0.42, 1.12)) * height
    # All stand on one ground, so a person's size says how low in the image they stand.
    lowest = rng.uniform(0.86, 1.0) if rng.random() < 0.76 else rng.uniform(1.0, 1.3)
    rise = (max(lowest * height, horizon + 0.4 * tallest) - horizon) / tallest
    placements: list[Placement] = []
    for number in range(rng.choice([1, 2, 3, 4], p=[0.36, 0.31, 0.2, 0.13])):
        person = make_person(rng, pitch)
        adult = tallest * (1.0 if number == 0 else np.exp(rng.uniform(np.log(0.35), 0)))
        adult = max(adult, 66 / person.build.stature)
        extent = person.extent()
        for _ in range(8):
            candidate = _stand(rng, person, extent, adult, horizon + rise * adult, width)
            if _acceptable(candidate, placements, image_size_wh):
                placements.append(candidate)
                break
        if not placements:
            # No image is empty: the first person steps back until their feet show.
            placements.append(_stand(rng, person, extent, adult, 0.98 * height, width))
    return sorted(placements, key=lambda p: p.scale / p.person.build.stature), int(horizon)


def _stand(
    rng: np.random.Generator,
    person: Person,
    extent: np.ndarray,
    adult: float,
    foot_y: float,
    width: int,
) -> Placement:
    """Puts a person's feet on the row `foot_y`; `adult` is an adult's height there, pixels."""
    scale = adult * person.build.stature
    x_min, x_max, y_min, y_max = extent * scale
    half = (x_max - x_min) / 2
    inside = rng.uniform(min(0.9 * half, width / 2), max(width - 0.9 * half, width / 2))
    middle = inside if rng.random() < 0.88 else rng.uniform(0, width)
    if person.pose.airborne:
        foot_y -= rng.uniform(0.02, 0.16) * scale
    centre = np.array([middle - (x_min + x_max) / 2, foot_y + y_min])
    box = np.array([centre[0] + x_min, centre[1] - y_max, centre[0] + x_max, centre[1] - y_min])
    return Placement(person, centre, scale, box)


def _acceptable(candidate: Placement, others: list[Placement], image_size_wh: tuple[int, int]) -> bool:
    """Says whether enough of a person would be inside the image and not behind others."""
    size = np.array(image_size_wh, float)
    low, high = candidate.box_xyxy[:2], candidate.box_xyxy[2:]
    inside = np.clip(np.minimum(high, size) - np.maximum(low, 0), 0, None)
    if np.prod(inside / (high - low)) < 0.5:
        return False
    for other in others:
        shared = np.minimum(high, other.box_xyxy[2:]) - np.maximum(low, other.box_xyxy[:2])
        smaller = min(np.prod(high - low), np.prod(other.box_xyxy[2:] - other.box_xyxy[:2]))
        if np.prod(np.clip(shared, 0, None)) > 0.42 * smaller:
            return False
    return True
