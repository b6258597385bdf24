"""Ray casting of the one shape that bodies are made of: a stretched round cone.

A round cone is what a sphere sweeps while it moves along a straight line and its
radius changes linearly. Stretched by an affine map it is also an ellipsoid, a
flattened trunk, a skirt. Seen orthographically, its front surface has a closed
form: with the sphere's centre c(t) and radius r(t), 0 <= t <= 1, the surface over
the image point P is the largest z(t) + sqrt(q(t)), q(t) = r(t)^2 - |P - c(t)|^2,
and q is a quadratic in t.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Paint = Callable[[np.ndarray], np.ndarray]
"""Maps points (3, N) float32 in a frame of the paint's own to BGR colours (N, 3) in 0..1."""

TINY = 1e-6


@dataclass
class Solid:
    """One stretched round cone, in camera axes (x right, y up, z towards the viewer).

    Attributes:
        part: The body part it belongs to, see `parts.Part`.
        origin: (3,) where the local frame lies.
        axes: (3, 3) local to camera: a rotation times the stretch of each local axis.
        start, end: (3,) local centres of the two end spheres.
        radii: Local radii at start and end.
        paint: Colour of a surface point, given in `paint_frame`.
        paint_frame: (3, 3) rotation and (3,) origin in camera axes.
        cut: Local plane (nx, ny, nz, d); surface with n.p > d is cut away. None: whole.
    """

    part: int
    origin: np.ndarray
    axes: np.ndarray
    start: np.ndarray
    end: np.ndarray
    radii: tuple[float, float]
    paint: Paint
    paint_frame: tuple[np.ndarray, np.ndarray]
    cut: tuple[float, float, float, float] | None = None


@dataclass
class Buffers:
    """What the rays hit, one value per pixel of a window.

    Attributes:
        xs: (W,) float32 camera x of the pixel columns.
        ys: (H,) float32 camera y of the pixel rows, falling.
        depth: (H, W) float32 camera z of the nearest surface, -inf where there is none.
        solid: (H, W) int16 index of the solid hit, -1 where there is none.
        along: (H, W) float32 t of the hit.
    """

    xs: np.ndarray
    ys: np.ndarray
    depth: np.ndarray
    solid: np.ndarray
    along: np.ndarray

    @classmethod
    def empty(cls, xs: np.ndarray, ys: np.ndarray) -> 'Buffers':
        """Returns buffers that nothing was cast into."""
        shape = (len(ys), len(xs))
        return cls(
            xs.astype(np.float32),
            ys.astype(np.float32),
            np.full(shape, -np.inf, np.float32),
            np.full(shape, -1, np.int16),
            np.zeros(shape, np.float32),
        )

    def window(self, bounds: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
        """Returns the first and past-the-end column, first and past-the-end row of a box."""
        x_min, x_max, y_min, y_max = bounds
        step = float(self.xs[1] - self.xs[0])
        left, right = ((x - float(self.xs[0])) / step for x in (x_min, x_max))
        top, bottom = ((float(self.ys[0]) - y) / step for y in (y_max, y_min))
        height, width = self.depth.shape
        columns = max(0, int(left)), min(width, int(right) + 2)
        return *columns, max(0, int(top)), min(height, int(bottom) + 2)


@dataclass
class Sighted:
    """A solid made ready for the rays; see `sight`.

    Attributes:
        solid: The solid.
        bounds: x_min, x_max, y_min, y_max in camera axes.
        inverse: (3, 3) float32 camera to local.
        turn: (3, 3) local to a frame whose z runs along the viewing ray.
        stretch: Local length of a unit of the ray.
    """

    solid: Solid
    bounds: tuple[float, float, float, float]
    inverse: np.ndarray
    turn: np.ndarray
    stretch: float


def bounds_of(solids: list[Solid]) -> np.ndarray:
    """Returns (N, 4) x_min, x_max, y_min, y_max of every solid, in camera axes."""
    axes = np.array([solid.axes[:2] for solid in solids])
    ends = np.array([(solid.start, solid.end) for solid in solids])
    origins = np.array([solid.origin[:2] for solid in solids])
    centres = np.einsum('nij,nej->nei', axes, ends) + origins[:, None]
    reach = np.array([solid.radii for solid in solids])[..., None]
    reach = reach * np.sqrt((axes * axes).sum(2))[:, None]
    low, high = (centres - reach).min(1), (centres + reach).max(1)
    return np.stack([low[:, 0], high[:, 0], low[:, 1], high[:, 1]], 1)


def sight(solids: list[Solid]) -> list[Sighted]:
    """Makes solids ready for the rays, all at once because that is quicker."""
    inverses = np.linalg.inv(np.array([solid.axes for solid in solids]))
    rays = inverses[:, :, 2]
    stretches = np.sqrt((rays * rays).sum(1))
    forward = rays / stretches[:, None]
    helper = np.eye(3)[np.abs(forward).argmin(1)]
    across = np.cross(helper, forward)
    across /= np.sqrt((across * across).sum(1))[:, None]
    turns = np.stack([across, np.cross(forward, across), forward], 1)
    return [
        Sighted(solid, tuple(box), inverse.astype(np.float32), turn, float(stretch))
        for solid, box, inverse, turn, stretch in zip(
            solids, bounds_of(solids).tolist(), inverses, turns, stretches, strict=True
        )
    ]


def cast(sighted: Sighted, index: int, buffers: Buffers) -> None:
    """Casts one solid into the buffers, in place, keeping the nearest surface."""
    solid, stretch = sighted.solid, sighted.stretch
    left, right, top, bottom = buffers.window(sighted.bounds)
    if left >= right or top >= bottom:
        return
    window = (slice(top, bottom), slice(left, right))
    planar = sighted.turn @ sighted.inverse[:, :2]
    start, end = sighted.turn @ solid.start, sighted.turn @ solid.end
    axis, growth = end - start, solid.radii[1] - solid.radii[0]

    x = buffers.xs[None, left:right] - np.float32(solid.origin[0])
    y = buffers.ys[top:bottom, None] - np.float32(solid.origin[1])
    row, column = _float32(planar[:, 0]), _float32(planar[:, 1])
    wx = (row[0] * x - start[0].astype(np.float32)) + column[0] * y
    wy = (row[1] * x - start[1].astype(np.float32)) + column[1] * y
    q_start = np.float32(solid.radii[0] ** 2) - wx * wx - wy * wy
    # q(t) = q_start + 2 slope t - curve t^2
    curve = np.float32(max(axis[0] ** 2 + axis[1] ** 2 - growth**2, TINY))
    slope = _float32(axis[0]) * wx + _float32(axis[1]) * wy
    slope += np.float32(solid.radii[0] * growth)
    peak = np.maximum(q_start + slope * slope / curve, 0)
    lean = axis[2] / np.sqrt(curve)
    along = np.sqrt(peak) * np.float32(lean / np.sqrt(1 + lean * lean) / np.sqrt(curve))
    along += slope / curve
    np.clip(along, 0, 1, out=along)
    inside = q_start + along * (2 * slope - curve * along)
    hit = inside > 0
    depth = np.sqrt(np.maximum(inside, 0)) + along * np.float32(axis[2])
    depth -= (row[2] * x - np.float32(start[2])) + column[2] * y
    depth = depth / np.float32(stretch) + np.float32(solid.origin[2])
    hit &= depth > buffers.depth[window]
    if solid.cut is not None:
        nx, ny, nz, limit = solid.cut
        plane = _float32([nx, ny, nz]) @ sighted.inverse
        lifted = depth - np.float32(solid.origin[2])
        hit &= plane[0] * x + plane[1] * y + plane[2] * lifted <= np.float32(limit)
    np.copyto(buffers.depth[window], depth, where=hit)
    np.copyto(buffers.along[window], along, where=hit)
    np.copyto(buffers.solid[window], np.int16(index), where=hit)


def _float32(value: np.ndarray) -> np.ndarray:
    return np.asarray(value, np.float32)


def surface(sighted: Sighted, index: int, buffers: Buffers) -> tuple[np.ndarray, ...]:
    """Finds the pixels where a solid is in front and what they show.

    Returns:
        Flat pixel indices (N,), outward unit normals (N, 3) float32 in camera axes,
        colours (N, 3) float32.
    """
    solid, inverse = sighted.solid, sighted.inverse
    left, right, top, bottom = buffers.window(sighted.bounds)
    rows, columns = np.nonzero(buffers.solid[top:bottom, left:right] == index)
    rows, columns = rows + top, columns + left
    pixels = rows * len(buffers.xs) + columns
    point = np.stack([buffers.xs[columns], buffers.ys[rows], buffers.depth.ravel()[pixels]])
    local = inverse @ (point - _float32(solid.origin)[:, None])
    centre = _float32(solid.end - solid.start)[:, None] * buffers.along.ravel()[pixels]
    normal = inverse.T @ (local - centre - _float32(solid.start)[:, None])
    normal /= np.sqrt((normal * normal).sum(0)) + np.float32(TINY)
    rotation, origin = solid.paint_frame
    anchored = _float32(rotation.T) @ (point - _float32(origin)[:, None])
    return pixels, normal.T, solid.paint(anchored)
