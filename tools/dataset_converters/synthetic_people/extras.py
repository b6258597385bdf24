"""What is worn around or carried: skirts, backpacks, a stool to sit on."""

import numpy as np

from .body import SIDES
from .figure import Figure
from .paints import plain
from .parts import Part


def add_skirt(figure: Figure) -> None:
    """A skirt or the lower half of a dress, wide enough for both thighs."""
    build, looks = figure.build, figure.looks
    knees = (figure.points['left_knee'] + figure.points['right_knee']) / 2
    down = knees - figure.points['pelvis']
    length = build.leg * looks.legs / 2
    down = down / np.linalg.norm(down)
    across = figure.points['left_hip'] - figure.points['right_hip']
    across = across - down * (across @ down)
    across /= np.linalg.norm(across)
    figure.frames['skirt'] = np.stack([across, -down, np.cross(across, -down)], 1)
    hips, girth = 0.110 * build.girth**0.5, build.girth
    share = length / build.thigh
    half = (figure.points['left_knee'] - figure.points['right_knee']) / 2
    aside, ahead = np.abs(half @ figure.frames['skirt'])[[0, 2]] * share + 0.052 * girth
    hem = max(hips + (0.02 + 0.25 * looks.looseness) * length, aside)
    paint = figure.cloth if looks.lower == 'dress' else figure.below
    at, middle = (Part.SKIRT, 'pelvis', 'skirt'), (0, -0.05, -0.004)
    yoke, deep = (1.0, 1.0, 0.80), (1.0, 1.0, max(0.80, ahead / hem))
    figure.add(*at, (0, 0.045, 0), middle, (0.094 * girth, hips), paint, yoke, (0, -1, 0, 0.05))
    figure.add(*at, middle, (0, -length - 0.02, 0), (hips, hem), paint, deep, (0, -1, 0, length))


def add_backpack(figure: Figure, colour: np.ndarray) -> None:
    """A bag on the back, with straps over the front."""
    bag, strap, at = plain(colour), plain(0.8 * colour), ('waist', 'chest')
    low, high = (0, 0.0, -0.105), (0, 0.12, -0.10)
    figure.add(Part.PROP, *at, low, high, (0.075, 0.068), bag, (1.0, 1.0, 0.72))
    for sign in (1, -1):
        x = sign * 0.68 * figure.build.shoulder
        figure.add(Part.TORSO, *at, (x, 0.03, 0.050), (x, 0.165, 0.046), (0.011, 0.011), strap)


def add_stool(figure: Figure) -> None:
    """Something to sit on, upright whatever the person's lean."""
    low = min(figure.points[f'{side}_ankle'][1] for side in SIDES) - 0.045
    seat = -0.105 * figure.build.girth
    figure.frames['upright'] = np.eye(3)
    wood = plain(np.array([0.30, 0.42, 0.55]) * (0.4 + figure.looks.looseness))
    steel = plain(np.full(3, 0.25 + 0.5 * figure.looks.looseness))
    at, disc = (Part.PROP, 'pelvis', 'upright'), (1.0, 0.16, 1.0)
    figure.add(*at, (0, seat, 0.02), (0, seat - 0.01, 0.02), (0.125, 0.12), wood, disc)
    figure.add(*at, (0, seat, 0.02), (0, low + 0.02, 0.02), (0.016, 0.016), steel)
    figure.add(*at, (0, low + 0.014, 0.02), (0, low + 0.012, 0.02), (0.09, 0.095), steel, disc)
