"""Composes a picture of several people and says, joint by joint, what can be seen."""

from dataclasses import dataclass

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from .background import draw_background
from .drawing import Lighting, Rendering, own_visibility, render, sample_lighting
from .foreground import draw_object
from .people import Person, make_person

IMAGE_SIZES_WH = ((320, 240), (352, 264), (384, 288), (240, 320), (264, 352), (288, 384))
MIN_KEYPOINTS = 3
MIN_AREA = 60
NOBODY = -1


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


def render_sample(
    seed: int | np.random.SeedSequence | np.random.Generator,
    image_size_wh: tuple[int, int] | None = None,
) -> tuple[np.ndarray, list[dict]]:
    """Draws one picture of people.

    Args:
        seed: Source of chance; the same seed gives the same picture in any process.
        image_size_wh: Width and height, pixels, at least 64; None draws one.

    Returns:
        The picture (H, W, 3) uint8 BGR and its annotations in COCO's format, without
        `id` and `image_id`: category_id, iscrowd, keypoints (51 numbers, pixels),
        num_keypoints, bbox (xywh, pixels), area (pixels), segmentation (RLE).

    Raises:
        ValueError: If the image is smaller than 64 pixels.
    """
    rng = np.random.default_rng(seed)
    if image_size_wh is None:
        image_size_wh = IMAGE_SIZES_WH[rng.integers(len(IMAGE_SIZES_WH))]
    if min(image_size_wh) < 64:
        raise ValueError(
            f'image_size_wh must be at least 64 pixels either way, but is {image_size_wh}; '
            'choose a larger picture'
        )
    placements, horizon = place_people(rng, image_size_wh)
    picture = draw_background(rng, image_size_wh, horizon)
    lighting = sample_lighting(rng)
    renderings = [
        render(p.person.solids, p.centre_xy, p.scale, image_size_wh, lighting) for p in placements
    ]
    owner = np.full(picture.shape[:2], NOBODY, np.int16)
    for number, (placement, rendering) in enumerate(zip(placements, renderings, strict=True)):
        if rendering is None:
            continue
        _cast_shadow(picture, placement, lighting)
        _paste(picture, owner, rendering, number)
        if rng.random() < 0.16:
            box = np.concatenate([placement.box_xyxy[:2], np.ptp(placement.box_xyxy.reshape(2, 2), 0)])
            owner[draw_object(rng, picture, box)] = NOBODY
    annotations = [
        annotate(placement, rendering, owner, number)
        for number, (placement, rendering) in enumerate(zip(placements, renderings, strict=True))
        if rendering is not None
    ]
    return _photograph(rng, picture), [entry for entry in annotations if entry is not None]


def place_people(
    rng: np.random.Generator, image_size_wh: tuple[int, int]
) -> tuple[list[Placement], int]:
    """Draws who is in the picture and where, the furthest first.

    Returns:
        The placements and the row of the horizon, pixels.
    """
    width, height = image_size_wh
    pitch = float(np.clip(rng.normal(7, 8), -12, 28))
    horizon = rng.uniform(0.15, 0.6) * height
    tallest = min(0.97, rng.uniform(0.42, 1.12)) * height
    # All stand on one ground, so a person's size says how low in the picture they stand.
    lowest = rng.uniform(0.86, 1.0) if rng.random() < 0.8 else rng.uniform(1.0, 1.3)
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


def _acceptable(
    candidate: Placement, others: list[Placement], image_size_wh: tuple[int, int]
) -> bool:
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


def _cast_shadow(picture: np.ndarray, placement: Placement, lighting: Lighting) -> None:
    """Darkens the ground under a person, in place."""
    left, _, right, foot = placement.box_xyxy
    wide = 0.16 * placement.scale
    middle = placement.centre_xy[0] - lighting.direction[0] * 0.08 * placement.scale
    x0, x1 = int(max(0, middle - 2 * wide)), int(min(picture.shape[1], middle + 2 * wide))
    y0, y1 = int(max(0, foot - wide)), int(min(picture.shape[0], foot + wide))
    if x0 >= x1 or y0 >= y1:
        return
    x = (np.arange(x0, x1) - middle) / wide
    y = (np.arange(y0, y1) - (foot - 0.02 * placement.scale)) / (0.26 * wide)
    dark = 0.45 * np.exp(-(x[None] ** 2 + y[:, None] ** 2))
    region = picture[y0:y1, x0:x1]
    region[:] = (region * (1 - dark[..., None])).astype(np.uint8)


def _paste(picture: np.ndarray, owner: np.ndarray, rendering: Rendering, number: int) -> None:
    """Blends a person into the picture and into the map of who owns which pixel."""
    height, width = rendering.alpha.shape
    window = (
        slice(rendering.top, rendering.top + height),
        slice(rendering.left, rendering.left + width),
    )
    region = picture[window]
    blend = region * (1 - rendering.alpha[..., None]) + 255 * rendering.colour
    region[:] = np.clip(blend + 0.5, 0, 255).astype(np.uint8)
    owner[window][rendering.alpha >= 0.5] = NOBODY
    owner[window][rendering.body] = number


def annotate(
    placement: Placement, rendering: Rendering, owner: np.ndarray, number: int
) -> dict | None:
    """Describes a person in COCO's format; None if there is too little to see.

    Args:
        placement: The person in the picture.
        rendering: The same person, drawn.
        owner: (H, W) int16, the number of the person seen in each pixel.
        number: This person's number.
    """
    silhouette = owner == number
    area = int(silhouette.sum())
    points = placement.person.skeleton.keypoints()
    points_xy = placement.centre_xy + placement.scale * points[:, :2] * [1, -1]
    points_xy = np.round(points_xy, 1)
    height, width = owner.shape
    inside = ((points_xy >= 0) & (points_xy <= [width - 1, height - 1])).all(1)
    if area < MIN_AREA or inside.sum() < MIN_KEYPOINTS:
        return None
    pixels, seen = own_visibility(rendering, points_xy, points[:, 2], placement.scale)
    x, y = np.clip(pixels[..., 0], 0, width - 1), np.clip(pixels[..., 1], 0, height - 1)
    seen &= owner[y, x] == number
    visibility = np.where(inside, np.where(seen.mean(1) >= 0.3, 2, 1), 0)
    keypoints = np.where(inside[:, None], points_xy, 0)
    triples = np.column_stack([keypoints, visibility])
    encoded = coco_mask.encode(np.asfortranarray(silhouette.astype(np.uint8)))
    return {
        'category_id': 1,
        'iscrowd': 0,
        'keypoints': [int(v) if v == int(v) else float(v) for v in triples.ravel()],
        'num_keypoints': int(inside.sum()),
        'bbox': [float(v) for v in coco_mask.toBbox(encoded)],
        'area': area,
        'segmentation': {'size': encoded['size'], 'counts': encoded['counts'].decode('ascii')},
    }


def _photograph(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Gives a picture exposure, contrast, blur and noise."""
    gain, lift = rng.uniform(0.78, 1.18), rng.uniform(-14, 14)
    gamma = np.exp(rng.normal(0, 0.14))
    levels = 255 * (np.arange(256) / 255) ** gamma * gain + lift
    picture = cv2.LUT(picture, np.clip(levels, 0, 255).astype(np.uint8))
    if rng.random() < 0.25:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.0))
    if rng.random() < 0.5:
        # Single precision is fast and as reproducible.
        noise = rng.standard_normal(picture.shape, np.float32) * np.float32(rng.uniform(1, 7))
        picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    return picture
