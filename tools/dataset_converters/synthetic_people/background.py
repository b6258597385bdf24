"""Places that people stand in: rooms, streets, fields, and plain clutter."""

import cv2
import numpy as np

from .person.appearance import HAIR_COLOURS, SKIN_TONES, sample_colour

Colour = tuple[float, float, float]


def scene_colour(rng: np.random.Generator) -> np.ndarray:
    """Draws a colour of walls and things, now and then that of skin or hair; (3,) 0..255."""
    if rng.random() < 0.2:
        table = SKIN_TONES if rng.random() < 0.7 else HAIR_COLOURS
        return np.array(table[rng.integers(len(table))], float)
    return 255 * (0.75 * sample_colour(rng) + 0.25 * rng.uniform(0.1, 0.9))


def colour_tuple(colour: np.ndarray) -> Colour:
    """Makes a colour that OpenCV's drawing functions take."""
    return tuple(float(channel) for channel in np.clip(colour, 0, 255))


def smooth_noise(rng: np.random.Generator, size_wh: tuple[int, int], cells: int) -> np.ndarray:
    """Returns (H, W) float32 noise about 0 whose blotches are 1/cells of the width."""
    width, height = size_wh
    rows = max(2, round(cells * height / width))
    coarse = rng.normal(0, 1, (rows, cells)).astype(np.float32)
    return cv2.resize(coarse, size_wh, interpolation=cv2.INTER_CUBIC)


def _gradient(height: int, width: int, top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    blend = np.linspace(0, 1, max(height, 1))[:, None, None]
    rows = (1 - blend) * top + blend * bottom
    return np.broadcast_to(rows, (height, width, 3)).astype(np.uint8)


def draw_background(rng: np.random.Generator, size_wh: tuple[int, int], horizon: int) -> np.ndarray:
    """Draws a place.

    Args:
        rng: Random generator.
        size_wh: Width and height, pixels.
        horizon: Row where the ground ends, pixels; may lie outside the image.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    places = (_room, _street, _field, _studio, _clutter)
    place = places[rng.choice(len(places), p=[0.32, 0.2, 0.26, 0.12, 0.10])]
    image = np.empty((size_wh[1], size_wh[0], 3), np.uint8)
    place(rng, image, int(np.clip(horizon, 8, size_wh[1] - 8)))
    grain = smooth_noise(rng, size_wh, int(rng.choice([5, 12, 40]))) * rng.uniform(1, 6)
    return np.clip(image + grain[..., None], 0, 255).astype(np.uint8)


def _room(rng: np.random.Generator, image: np.ndarray, horizon: int) -> None:
    height, width = image.shape[:2]
    edge = int(horizon + (height - horizon) * rng.uniform(0.1, 0.4))
    wall, floor = scene_colour(rng) * 0.6 + 80, scene_colour(rng) * 0.7 + 30
    image[:edge] = _gradient(edge, width, wall * rng.uniform(0.8, 1), wall)
    image[edge:] = _gradient(height - edge, width, floor * 0.75, floor)
    if rng.random() < 0.3:
        _stripes(rng, image[:edge], wall)
    if rng.random() < 0.5:
        _floorboards(rng, image, edge, floor)
    skirting = colour_tuple(wall * rng.choice([0.6, 1.25]))
    cv2.rectangle(image, (0, edge - 5), (width, edge), skirting, -1)
    for _ in range(rng.integers(0, 4)):
        _poster(rng, image, edge)
    for _ in range(rng.integers(0, 3)):
        _cupboard(rng, image, edge)


def _stripes(rng: np.random.Generator, wall: np.ndarray, colour: np.ndarray) -> None:
    pitch = int(rng.integers(8, 40))
    shade = np.clip(colour * rng.uniform(0.85, 1.12), 0, 255)
    columns = np.mod(np.arange(wall.shape[1]), pitch) < pitch // 2
    wall[:, columns] = shade.astype(np.uint8)


def _floorboards(rng: np.random.Generator, image: np.ndarray, edge: int, colour: np.ndarray) -> None:
    height, width = image.shape[:2]
    vanishing = width * rng.uniform(0.2, 0.8)
    line = colour_tuple(colour * rng.uniform(0.55, 0.8))
    for x in np.arange(-2.0 * width, 3.0 * width, rng.uniform(30, 80)):
        top = vanishing + (x - vanishing) * 0.45
        cv2.line(image, (int(top), edge), (int(x), height), line, 1, cv2.LINE_AA)


def _poster(rng: np.random.Generator, image: np.ndarray, edge: int) -> None:
    width = image.shape[1]
    w, h = rng.integers(20, 90), rng.integers(20, 90)
    x, y = int(rng.integers(-10, width)), int(rng.integers(-10, max(1, edge - 30)))
    bottom = int(min(y + h, edge - 8))
    if bottom <= y + 6:
        return
    cv2.rectangle(image, (x, y), (x + w, bottom), colour_tuple(scene_colour(rng)), -1)
    inner = colour_tuple(scene_colour(rng))
    cv2.rectangle(image, (x + 3, y + 3), (x + w - 3, bottom - 3), inner, -1)
    for _ in range(rng.integers(0, 4)):
        centre = (int(rng.integers(x + 4, x + w - 3)), int(rng.integers(y + 3, bottom - 2)))
        radius = int(min(rng.integers(3, 14), centre[1] - y - 2, bottom - centre[1]))
        if radius > 1:
            cv2.circle(image, centre, radius, colour_tuple(scene_colour(rng)), -1, cv2.LINE_AA)


def _cupboard(rng: np.random.Generator, image: np.ndarray, edge: int) -> None:
    width = image.shape[1]
    w, h = int(rng.integers(40, 130)), int(rng.integers(30, max(31, edge)))
    x, bottom = int(rng.integers(-30, width)), int(edge + rng.integers(2, 18))
    colour = scene_colour(rng) * 0.8
    cv2.rectangle(image, (x, bottom - h), (x + w, bottom), colour_tuple(colour), -1)
    side = np.array([[x + w, bottom - h], [x + w + 8, bottom - h + 4],
                     [x + w + 8, bottom - 5], [x + w, bottom]])  # fmt: skip
    cv2.fillConvexPoly(image, side.astype(np.int32), colour_tuple(colour * 0.7), cv2.LINE_AA)
    line = colour_tuple(colour * rng.choice([0.6, 1.3]))
    for row in np.linspace(bottom - h, bottom, rng.integers(2, 6))[1:-1]:
        cv2.line(image, (x, int(row)), (x + w, int(row)), line, 1)
    cv2.line(image, (x + w // 2, bottom - h), (x + w // 2, bottom), line, 1)


def _ground(rng: np.random.Generator, image: np.ndarray, horizon: int, base: np.ndarray) -> None:
    height, width = image.shape[:2]
    image[horizon:] = _gradient(height - horizon, width, base * 0.8, base)
    speckle = rng.normal(0, rng.uniform(2, 10), (height - horizon, width, 1))
    image[horizon:] = np.clip(image[horizon:] + speckle, 0, 255)


def _sky(rng: np.random.Generator, image: np.ndarray, horizon: int) -> None:
    tables = ((235, 190, 120), (225, 205, 180), (200, 200, 205), (130, 150, 230), (120, 80, 50))
    zenith = np.array(tables[rng.integers(len(tables))], float) * rng.uniform(0.8, 1.05)
    low = np.clip(zenith * 0.6 + 100, 0, 255)
    size = (image.shape[1], horizon)
    image[:horizon] = _gradient(horizon, size[0], zenith, low)
    if rng.random() < 0.6:
        cloud = np.clip(smooth_noise(rng, size, 6) + smooth_noise(rng, size, 14) * 0.5 - 0.5, 0, 1)
        blend = 0.7 * cloud[..., None]
        image[:horizon] = (image[:horizon] * (1 - blend) + 245 * blend).astype(np.uint8)


def foliage(rng: np.random.Generator, image: np.ndarray, centre: tuple[int, int], size: int) -> None:
    """Draws a bush or a crown of leaves as overlapping blobs, in place."""
    base = np.array([rng.uniform(20, 70), rng.uniform(70, 150), rng.uniform(30, 120)])
    for _ in range(14):
        offset = rng.normal(0, 0.4 * size, 2)
        at = (int(centre[0] + offset[0]), int(centre[1] + 0.7 * offset[1]))
        colour = colour_tuple(base * (1.05 - 0.35 * offset[1] / size) * rng.uniform(0.85, 1.15))
        radius = int(max(2, size * rng.uniform(0.2, 0.45)))
        cv2.circle(image, at, radius, colour, -1, cv2.LINE_AA)


def _field(rng: np.random.Generator, image: np.ndarray, horizon: int) -> None:
    width = image.shape[1]
    _sky(rng, image, horizon)
    tones = ((60, 130, 90), (70, 150, 130), (130, 190, 220), (150, 160, 160), (235, 235, 235))
    base = np.array(tones[rng.integers(len(tones))], float) * rng.uniform(0.75, 1.05)
    for _ in range(rng.integers(0, 3)):
        rise = smooth_noise(rng, (width, 1), 4)[0] * rng.uniform(6, 25)
        ridge = horizon - np.abs(rise) - rng.uniform(0, 20)
        outline = np.stack([np.arange(width), ridge], 1)
        outline = np.concatenate([outline, [[width, horizon], [0, horizon]]]).astype(np.int32)
        hill = colour_tuple(base * rng.uniform(0.5, 0.9) + 20)
        cv2.fillPoly(image, [outline], hill, cv2.LINE_AA)
    _ground(rng, image, horizon, base)
    for _ in range(rng.integers(0, 6)):
        size, x = int(rng.integers(14, 60)), int(rng.integers(0, width))
        crown = horizon - int(size * rng.uniform(0.2, 1.6))
        trunk = colour_tuple(np.array([35, 50, 75]) * rng.uniform(0.7, 1.5))
        cv2.line(image, (x, crown), (x, horizon + 4), trunk, max(2, size // 9), cv2.LINE_AA)
        foliage(rng, image, (x, crown), size)


def _street(rng: np.random.Generator, image: np.ndarray, horizon: int) -> None:
    width = image.shape[1]
    _sky(rng, image, horizon)
    x = -int(rng.integers(0, 40))
    while x < width:
        w, h = int(rng.integers(40, 140)), int(horizon * rng.uniform(0.35, 1.2))
        colour = scene_colour(rng) * 0.6 + 50
        cv2.rectangle(image, (x, horizon - h), (x + w, horizon), colour_tuple(colour), -1)
        _windows(rng, image, (x, horizon - h, w, h), colour)
        x += w + int(rng.integers(0, 20))
    _ground(rng, image, horizon, np.full(3, rng.uniform(90, 190)) + rng.normal(0, 8, 3))
    kerb = horizon + int(rng.integers(4, 20))
    pale = colour_tuple(np.full(3, rng.uniform(140, 220)))
    cv2.line(image, (0, kerb), (width, kerb), pale, 2)
    for _ in range(rng.integers(0, 3)):
        post = int(rng.integers(0, width))
        dark = colour_tuple(scene_colour(rng) * 0.6)
        cv2.line(image, (post, horizon - 90), (post, kerb), dark, int(rng.integers(2, 6)))


def _windows(rng: np.random.Generator, image: np.ndarray, box_xywh: tuple, colour: np.ndarray) -> None:
    x, y, w, h = box_xywh
    pitch, glass = int(rng.integers(14, 30)), colour_tuple(colour * rng.choice([0.45, 1.4]))
    for row in range(y + 5, y + h - pitch, pitch):
        for column in range(x + 4, x + w - pitch // 2, pitch):
            far = (column + pitch // 2, row + int(0.6 * pitch))
            cv2.rectangle(image, (column, row), far, glass, -1)


def _studio(rng: np.random.Generator, image: np.ndarray, horizon: int) -> None:
    height, width = image.shape[:2]
    first, second = scene_colour(rng) * 0.7 + 60, scene_colour(rng) * 0.7 + 40
    image[:] = _gradient(height, width, first, second if rng.random() < 0.5 else first * 0.7)


def _clutter(rng: np.random.Generator, image: np.ndarray, horizon: int) -> None:
    height, width = image.shape[:2]
    cells = tuple(rng.integers(3, 9, 2))
    patches = np.stack([scene_colour(rng) for _ in range(cells[0] * cells[1])])
    patches = np.clip(patches, 0, 255).reshape(*cells, 3).astype(np.uint8)
    image[:] = cv2.resize(patches, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(rng.integers(6, 20)):
        colour = colour_tuple(scene_colour(rng))
        at = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        axes = tuple(int(v) for v in rng.integers(4, 45, 2))
        if rng.random() < 0.5:
            cv2.ellipse(image, at, axes, rng.uniform(0, 180), 0, 360, colour, -1, cv2.LINE_AA)
        else:
            far = (at[0] + 2 * axes[0], at[1] + 2 * axes[1])
            cv2.rectangle(image, at, far, colour, -1)
