"""Composes a image of several people and says, joint by joint, what can be seen."""

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from .background import draw_background
from .drawing import Lighting, Rendering, own_visibility, render, sample_lighting
from .foreground import draw_object
from .people import Placement, place_people

IMAGE_SIZES_WH = ((320, 240), (352, 264), (384, 288), (240, 320), (264, 352), (288, 384))
MIN_KEYPOINTS = 3
MIN_AREA = 60
NOBODY = -1


def render_sample(
    seed: int | np.random.SeedSequence | np.random.Generator,
    image_size_wh: tuple[int, int] | None = None,
) -> tuple[np.ndarray, list[dict]]:
    """Draws one image of people.

    Args:
        seed: Seed or random generator; the same seed gives the same image in any process.
        image_size_wh: Width and height, pixels, at least 64; None draws one.

    Returns:
        The image (H, W, 3) uint8 BGR and its annotations in COCO's format, without
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
            f'image_size_wh must be at least 64 pixels either way, but is {image_size_wh}; choose a larger image'
        )
    placements, horizon = place_people(rng, image_size_wh)
    image = draw_background(rng, image_size_wh, horizon)
    lighting = sample_lighting(rng)
    renderings = [render(p.person.solids, p.centre_xy, p.scale, image_size_wh, lighting) for p in placements]
    owner = np.full(image.shape[:2], NOBODY, np.int16)
    for number, (placement, rendering) in enumerate(zip(placements, renderings, strict=True)):
        if rendering is None:
            continue
        _cast_shadow(image, placement, lighting)
        _paste(image, owner, rendering, number)
        if rng.random() < 0.16:
            box = np.concatenate([placement.box_xyxy[:2], np.ptp(placement.box_xyxy.reshape(2, 2), 0)])
            owner[draw_object(rng, image, box)] = NOBODY
    annotations = [
        annotate(placement, rendering, owner, number)
        for number, (placement, rendering) in enumerate(zip(placements, renderings, strict=True))
        if rendering is not None
    ]
    return _photograph(rng, image), [entry for entry in annotations if entry is not None]


def _cast_shadow(image: np.ndarray, placement: Placement, lighting: Lighting) -> None:
    """Darkens the ground under a person, in place."""
    foot = placement.box_xyxy[3]
    wide = 0.16 * placement.scale
    middle = placement.centre_xy[0] - lighting.direction[0] * 0.08 * placement.scale
    x0, x1 = int(max(0, middle - 2 * wide)), int(min(image.shape[1], middle + 2 * wide))
    y0, y1 = int(max(0, foot - wide)), int(min(image.shape[0], foot + wide))
    if x0 >= x1 or y0 >= y1:
        return
    x = (np.arange(x0, x1) - middle) / wide
    y = (np.arange(y0, y1) - (foot - 0.02 * placement.scale)) / (0.26 * wide)
    dark = 0.45 * np.exp(-(x[None] ** 2 + y[:, None] ** 2))
    region = image[y0:y1, x0:x1]
    region[:] = (region * (1 - dark[..., None])).astype(np.uint8)


def _paste(image: np.ndarray, owner: np.ndarray, rendering: Rendering, number: int) -> None:
    """Blends a person into the image and into the map of who owns which pixel."""
    height, width = rendering.alpha.shape
    window = (
        slice(rendering.top, rendering.top + height),
        slice(rendering.left, rendering.left + width),
    )
    region = image[window]
    blend = region * (1 - rendering.alpha[..., None]) + 255 * rendering.colour
    region[:] = np.clip(blend + 0.5, 0, 255).astype(np.uint8)
    owner[window][rendering.alpha >= 0.5] = NOBODY
    owner[window][rendering.body] = number


def annotate(placement: Placement, rendering: Rendering, owner: np.ndarray, number: int) -> dict | None:
    """Describes a person in COCO's format; None if there is too little to see.

    Args:
        placement: The person in the image.
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


def _photograph(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Gives a image exposure, contrast, blur and noise."""
    gain, lift = rng.uniform(0.86, 1.22), rng.uniform(-10, 18)
    gamma = np.exp(rng.normal(0, 0.14))
    levels = 255 * (np.arange(256) / 255) ** gamma * gain + lift
    image = cv2.LUT(image, np.clip(levels, 0, 255).astype(np.uint8))
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.0))
    if rng.random() < 0.5:
        # Single precision is fast and as reproducible.
        noise = rng.standard_normal(image.shape, np.float32) * np.float32(rng.uniform(1, 7))
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    return image
