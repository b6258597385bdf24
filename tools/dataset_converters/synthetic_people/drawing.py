"""Renders one person: rays, lighting, and which joints the person's own body hides."""

from dataclasses import dataclass

import cv2
import numpy as np

from .person.figure import CARRIES, REACH, Part
from .person.solids import Buffers, Sighted, Solid, bounds_of, cast, sight, surface

SUPERSAMPLING = 2


@dataclass(frozen=True)
class Lighting:
    """Light of one image.

    Attributes:
        direction: (3,) unit vector towards the light, camera axes.
        ambient: Brightness of a surface turned away from the light, 0..1.
        warmth: (3,) BGR tint of the lit side.
        shade: (3,) BGR tint of the dark side.
        outline: How much surfaces darken where they turn out of sight, 0..1.
    """

    direction: np.ndarray
    ambient: float
    warmth: np.ndarray
    shade: np.ndarray
    outline: float


def sample_lighting(rng: np.random.Generator) -> Lighting:
    """Draws a light from above, from any side in front."""
    direction = np.array([rng.uniform(-0.9, 0.9), rng.uniform(0.2, 0.9), rng.uniform(0.35, 0.9)])
    tint = rng.normal(0, 0.05)
    return Lighting(
        direction / np.linalg.norm(direction),
        rng.uniform(0.42, 0.74),
        np.array([1 - tint, 1.0, 1 + tint]),
        np.array([1 + tint, 1.0, 1 - tint]) + np.array([0.06, 0, -0.02]),
        rng.uniform(0.25, 0.6),
    )


@dataclass
class Rendering:
    """A person on a window of the image.

    Attributes:
        left, top: Where the window lies in the image, pixels.
        colour: (h, w, 3) float32 BGR 0..1, multiplied by alpha.
        alpha: (h, w) float32 coverage by the person and what they carry.
        body: (h, w) bool, the person's own silhouette.
        parts: (s*h, s*w) uint8 of `Part`, s = SUPERSAMPLING.
        depth: (s*h, s*w) float32, camera z in statures.
    """

    left: int
    top: int
    colour: np.ndarray
    alpha: np.ndarray
    body: np.ndarray
    parts: np.ndarray
    depth: np.ndarray


def render(
    solids: list[Solid],
    centre_xy: np.ndarray,
    scale: float,
    image_size_wh: tuple[int, int],
    lighting: Lighting,
) -> Rendering | None:
    """Renders solids orthographically.

    Args:
        solids: In camera axes, lengths in statures.
        centre_xy: (2,) image position of the camera axes' origin, pixels.
        scale: Pixels per stature.
        image_size_wh: Width and height of the image, pixels.
        lighting: Light of the image.

    Returns:
        The rendering, clipped to the image; None if all lies outside it.
    """
    bounds = bounds_of(solids)
    width, height = image_size_wh
    left = max(0, int(centre_xy[0] + scale * bounds[:, 0].min()) - 2)
    right = min(width, int(centre_xy[0] + scale * bounds[:, 1].max()) + 3)
    top = max(0, int(centre_xy[1] - scale * bounds[:, 3].max()) - 2)
    bottom = min(height, int(centre_xy[1] - scale * bounds[:, 2].min()) + 3)
    if left >= right or top >= bottom:
        return None
    s = SUPERSAMPLING
    xs = (np.arange(s * left, s * right) + 0.5) / s - 0.5
    ys = (np.arange(s * top, s * bottom) + 0.5) / s - 0.5
    buffers = Buffers.empty((xs - centre_xy[0]) / scale, (centre_xy[1] - ys) / scale)
    sighted = sight(solids)
    for index, solid in enumerate(sighted):
        cast(solid, index, buffers)
    colour = _shade(sighted, buffers, scale * s, lighting)
    # Index -1, nothing hit, reads the table's last entry.
    parts = np.array([*(solid.part for solid in solids), Part.NONE], np.uint8)[buffers.solid]
    size = (right - left, bottom - top)
    body = ((parts != Part.NONE) & (parts != Part.PROP)).astype(np.float32)
    return Rendering(
        left,
        top,
        cv2.resize(colour, size, interpolation=cv2.INTER_AREA),
        cv2.resize((parts != Part.NONE).astype(np.float32), size, interpolation=cv2.INTER_AREA),
        cv2.resize(body, size, interpolation=cv2.INTER_AREA) >= 0.5,
        parts,
        buffers.depth,
    )


def _shade(solids: list[Sighted], buffers: Buffers, scale: float, lighting: Lighting) -> np.ndarray:
    """Returns the lit colours (H, W, 3) float32, zero where nothing was hit."""
    shape = buffers.depth.shape
    albedo = np.zeros((*shape, 3), np.float32)
    normals = np.zeros((*shape, 3), np.float32)
    present = np.bincount(buffers.solid.ravel() + 1, minlength=2)[1:]
    for index in np.flatnonzero(present):
        pixels, normal, colours = surface(solids[index], int(index), buffers)
        albedo.reshape(-1, 3)[pixels] = colours
        normals.reshape(-1, 3)[pixels] = normal
    # Neighbouring solids are meant as one soft surface.
    normals = cv2.blur(normals, (3, 3))
    occlusion = _occlusion(buffers.depth, scale)
    hit = np.flatnonzero(buffers.solid >= 0)
    normal = normals.reshape(-1, 3)[hit]
    lit = np.clip(0.5 + 0.5 * (normal @ lighting.direction.astype(np.float32)), 0, 1)
    lit *= np.sqrt(lit) * (1 - 0.75 * occlusion.ravel()[hit])
    light = lit[:, None] * (lighting.warmth * (1.12 - lighting.ambient)).astype(np.float32)
    light += (lighting.shade * lighting.ambient).astype(np.float32)
    rim = np.clip(1 - normal[:, 2], 0, 1)
    light *= (1 - np.float32(lighting.outline) * rim * rim * rim)[:, None]
    colours = albedo.reshape(-1, 3)
    colours[hit] = np.clip(colours[hit] * light, 0, 1)
    return albedo


def _occlusion(depth: np.ndarray, scale: float) -> np.ndarray:
    """Returns (H, W) in 0..1, how much a pixel lies behind its surroundings."""
    far = np.float32(-0.25)
    filled = np.maximum(depth, far)
    size = 2 * int(max(1, 0.022 * scale)) + 1
    around = cv2.blur(filled, (size, size))
    return np.clip((around - filled) * 9, 0, 1)


def own_visibility(
    rendering: Rendering, points_xy: np.ndarray, depths: np.ndarray, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """Looks, around every joint, at what of the joint's own surface the rays saw.

    Args:
        rendering: The person.
        points_xy: (17, 2) image positions, pixels.
        depths: (17,) camera z of the joints, in statures.
        scale: Pixels per stature.

    Returns:
        Image pixels (17, 13, 2) int64 (x, y) around the joints, and (17, 13) bool,
        whether the joint's own surface is in front there.
    """
    radius = max(0.6, 0.013 * scale)
    spokes = np.radians(np.arange(0, 360, 60))
    ring = np.stack([np.cos(spokes), np.sin(spokes)], 1)
    offsets = np.concatenate([np.zeros((1, 2)), 0.5 * ring, ring]) * radius
    samples = points_xy[:, None] + offsets
    pixels = np.floor(samples + 0.5).astype(int)
    s = SUPERSAMPLING
    fine = np.floor((samples + 0.5) * s).astype(int) - s * np.array([rendering.left, rendering.top])
    height, width = rendering.parts.shape
    inside = ((fine >= 0) & (fine < [width, height])).all(-1)
    x, y = np.where(inside, fine[..., 0], 0), np.where(inside, fine[..., 1], 0)
    parts = rendering.parts[y, x]
    reach = REACH[:, None] * np.where(parts == Part.SKIRT, 1.7, 1.0)
    near = rendering.depth[y, x] <= depths[:, None] + reach
    return pixels, inside & near & CARRIES[np.arange(17)[:, None], parts]
