"""Decides who is in a picture and where they stand, on one common ground."""

from dataclasses import dataclass

import numpy as np

from .people import Person, make_person


@dataclass
class Placement:
    """A person in the picture.

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
    """Draws who is in the picture and where, the furthest first.

    Returns:
        The placements and the row of the horizon, pixels.
    """
    width, height = image_size_wh
    pitch = float(np.clip(rng.normal(7, 8), -12, 28))
    horizon = rng.uniform(0.15, 0.6) * height
    tallest = min(0.97, rng.uniform(0.42, 1.12)) * height
    # All stand on one ground, so a person's size says how low in the picture they stand.
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
            # No picture is empty: the first person steps back until their feet show.
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
    """Says whether enough of a person would be inside the picture and not behind others."""
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
