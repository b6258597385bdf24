"""Colours as functions of place: cloth, skin, faces.

Every function here returns a `Paint`: it takes points (3, N) float32 in statures, in
the frame of the bone or the head, and returns BGR colours (N, 3) float32 in 0..1.
"""

import numpy as np

from .solids import Paint


def _filled(points: np.ndarray, colour: np.ndarray) -> np.ndarray:
    return np.tile(np.asarray(colour, np.float32), (points.shape[1], 1))


def plain(colour: np.ndarray) -> Paint:
    """One colour everywhere."""
    return lambda points: _filled(points, colour)


def patterned(kind: str, first: np.ndarray, second: np.ndarray, pitch: float) -> Paint:
    """Cloth with a pattern.

    Args:
        kind: 'plain', 'hoops', 'pinstripes', 'checks', 'dots' or 'blocks'.
        first: (3,) BGR of the ground.
        second: (3,) BGR of the figure on it.
        pitch: Distance between repeats, statures.
    """

    def paint(points: np.ndarray) -> np.ndarray:
        x, y, _ = points
        if kind == 'hoops':
            chosen = np.mod(y, pitch) < 0.45 * pitch
        elif kind == 'pinstripes':
            chosen = np.mod(x, pitch) < 0.25 * pitch
        elif kind == 'checks':
            chosen = (np.mod(x, pitch) < 0.5 * pitch) ^ (np.mod(y, pitch) < 0.5 * pitch)
        elif kind == 'dots':
            u, v = np.mod(x, pitch) / pitch - 0.5, np.mod(y, pitch) / pitch - 0.5
            chosen = u * u + v * v < 0.07
        elif kind == 'blocks':
            chosen = y > 0.09
        else:
            chosen = np.zeros(len(x), bool)
        return np.where(chosen[:, None], np.float32(second), np.float32(first))

    return paint


def top_front(cloth: Paint, skin: np.ndarray, detail: np.ndarray, kind: str, collar: float) -> Paint:
    """A garment for the upper body: `cloth` with a front that tells it from the back.

    Args:
        cloth: The cloth itself.
        skin: (3,) BGR seen in the neck opening.
        detail: (3,) BGR of buttons, zip, print or open jacket.
        kind: 'none', 'buttons', 'zip', 'logo', 'print' or 'open'.
        collar: Height over the waist of the neck opening's lowest point, statures.
    """

    def paint(points: np.ndarray) -> np.ndarray:
        x, y, z = points
        colours, front = cloth(points), z > 0
        if kind == 'buttons':
            colours[front & (np.abs(x) < 0.0015)] *= 0.72
            detailed = front & (x * x + (np.mod(y, 0.04) - 0.02) ** 2 < 0.005**2)
        elif kind == 'zip':
            detailed = front & (np.abs(x) < 0.004)
        elif kind == 'logo':
            detailed = front & ((x - 0.045) ** 2 + (y - 0.12) ** 2 < 0.014**2)
        elif kind == 'print':
            detailed = front & (np.abs(x) < 0.045) & (np.abs(y - 0.09) < 0.03)
        elif kind == 'open':
            detailed = front & (np.abs(x) < 0.030 + 0.05 * np.maximum(0, 0.1 - y))
        else:
            detailed = np.zeros(len(x), bool)
        colours[detailed] = detail
        opening = front & (np.abs(x) < 0.55 * (y - collar))
        colours[opening] = skin
        return colours

    return paint


def face(
    head: np.ndarray,
    skin: np.ndarray,
    hair: np.ndarray,
    iris: np.ndarray,
    smile: float,
    beard: float,
    glasses: bool,
) -> Paint:
    """A face on the front of the head.

    Args:
        head: (3,) half width, height and depth of the head, statures.
        skin: (3,) BGR of the face.
        hair: (3,) BGR of brows and beard.
        iris: (3,) BGR of the eyes.
        smile: Curvature of the mouth, negative is sad.
        beard: How high the beard reaches, 0 is shaven.
        glasses: Whether the person wears any.
    """
    lips = np.float32(0.62 * skin + 0.38 * np.array([0.30, 0.25, 0.72]))

    def paint(points: np.ndarray) -> np.ndarray:
        colours = _filled(points, skin)
        x, y, z = points / np.float32(head)[:, None]
        front = z > 0.12
        side = np.abs(x)
        cheek = np.exp(-((side - 0.5) ** 2 + (y + 0.28) ** 2) / 0.04) * front
        colours += cheek[:, None] * np.float32([-0.03, -0.06, 0.03])
        if beard > 0:
            around_mouth = (side < 0.26) & (y > -0.60) & (y < -0.46)
            colours[(y < -0.40 + beard * side * side) & (z > -0.15) & ~around_mouth] = hair
        colours[front & _ellipse(side - 0.40, y - 0.05, 0.21, 0.15)] *= 0.80
        colours[front & _ellipse(side - 0.40, y - 0.05, 0.175, 0.115)] = 0.95
        colours[front & _ellipse(side - 0.39, y - 0.05, 0.085, 0.11)] = iris
        colours[front & _ellipse(side - 0.39, y - 0.05, 0.045, 0.06)] = 0.05
        arch = 0.29 - 0.5 * (side - 0.38) ** 2
        colours[front & (np.abs(side - 0.40) < 0.22) & (np.abs(y - arch) < 0.042)] = 0.8 * hair
        bow = -0.53 + smile * (x * x - 0.03)
        colours[front & (side < 0.29) & (np.abs(y - bow) < 0.062 * (1 - side / 0.5))] = lips
        colours[front & (side < 0.25) & (np.abs(y - bow) < 0.015)] = 0.45 * lips
        if glasses:
            ring = ((side - 0.41) / 0.29) ** 2 + ((y - 0.04) / 0.22) ** 2
            rim = (np.abs(ring - 1) < 0.28) | ((side < 0.14) & (np.abs(y - 0.07) < 0.03))
            temple = (side > 0.66) & (np.abs(y - 0.07) < 0.035) & (z > -0.1)
            colours[(front & rim) | temple] = 0.08
        return colours

    return paint


def _ellipse(x: np.ndarray, y: np.ndarray, half_width: float, half_height: float) -> np.ndarray:
    return (x / half_width) ** 2 + (y / half_height) ** 2 < 1


def strands(colour: np.ndarray) -> Paint:
    """Hair: one colour with lighter and darker locks."""

    def paint(points: np.ndarray) -> np.ndarray:
        x, y, z = points
        around = np.arctan2(x, 0.03 - z)
        lock = 1 + 0.08 * np.sin(23 * around + 2 * np.sin(70 * y)) + 0.04 * np.sin(61 * around)
        return np.clip(_filled(points, colour) * lock[:, None], 0, 1)

    return paint


def shoe(colour: np.ndarray, sole: np.ndarray, height: float) -> Paint:
    """A shoe with a sole of another colour below `height` (negative, statures)."""

    def paint(points: np.ndarray) -> np.ndarray:
        colours = _filled(points, colour)
        colours[points[1] < height] = sole
        laces = (points[1] > -0.022) & (np.mod(points[2], 0.016) < 0.006)
        colours[laces & (points[2] > 0.025) & (points[2] < 0.075)] = sole
        return colours

    return paint
