"""Trunk, limbs and what is worn, as solids."""

import numpy as np

from .appearance import Appearance
from .body import SIDES, WAIST_ABOVE_HIPS, Build, Skeleton
from .figure import Figure, Part
from .heads import head_solids
from .paints import plain, shoe, top_front
from .poses import Pose
from .solids import Paint, Solid


def add_trunk(figure: Figure) -> None:
    """Adds everything between the head and the limbs."""
    build, looks, girth = figure.build, figure.looks, figure.build.girth
    upper = build.torso - WAIST_ABOVE_HIPS
    collar = upper - looks.collar
    garment = top_front(figure.cloth, looks.skin, looks.top_second, looks.front, collar)
    waist = (0.072 - 0.009 * build.feminine) * girth
    _add_chest(figure, garment, upper, waist)
    _add_belly(figure, garment, waist)
    radii = (0.034 * girth**0.5, 0.030 * girth**0.5)
    figure.add(Part.NECK, 'neck', 'neck', (0, -0.02, 0), (0, 0.075, 0.008), radii, figure.skin)


def _flatness(figure: Figure) -> tuple[float, float, float]:
    """A trunk is wider than deep, the less so the heavier."""
    return (1.0, 1.0, 0.66 + 0.05 * figure.build.girth)


def _add_chest(figure: Figure, garment: Paint, upper: float, waist: float) -> None:
    """Ribcage, shoulders, bust; `upper` is the height of the shoulders over the waist."""
    build, girth, at = figure.build, figure.build.girth, (Part.TORSO, 'waist', 'chest')
    radii, hem = (waist, 0.80 * build.shoulder), (0, -1, 0, WAIST_ABOVE_HIPS - figure.looks.hem)
    figure.add(*at, (0, 0, 0), (0, upper - 0.075, 0), radii, garment, _flatness(figure), hem)
    for sign in (1, -1):
        shoulder = (sign * (build.shoulder - 0.006), upper - 0.029, 0)
        radii = (0.047 * girth**0.5, 0.035 * girth)
        figure.add(*at, (0, upper - 0.012, 0), shoulder, radii, garment, (1, 1, 0.95))
    if build.feminine > 0.5:
        left, right = (0.036, upper - 0.085, 0.030), (-0.036, upper - 0.085, 0.030)
        figure.add(*at, right, left, (0.039 * girth, 0.039 * girth), garment, (1, 1.15, 1))


def _add_belly(figure: Figure, garment: Paint, waist: float) -> None:
    """Belly and pelvis; the upper garment ends at its hem."""
    build, looks, girth = figure.build, figure.looks, figure.build.girth
    hips, flat = (0.086 + 0.006 * build.feminine) * girth, _flatness(figure)
    hem, chest = (0, -1, 0, -looks.hem), ('waist', 'chest')
    at = (Part.TORSO, 'pelvis', 'belly')
    low, high = (0, min(0.02, looks.hem), 0), (0, WAIST_ABOVE_HIPS, 0)
    figure.add(*at, low, high, (hips * 1.06, waist * 1.03), garment, flat, hem, chest)
    if build.belly > 0:
        depth = 0.012 + 0.03 * build.belly
        radii = (0.072 * girth, 0.062 * girth)
        figure.add(*at, (0, 0.05, depth), (0, 0.10, depth * 0.8), radii, garment, cut=hem, paint_at=chest)
    at = (Part.TORSO, 'pelvis', 'pelvis')
    if looks.hem < 0:
        # An untucked garment hangs over the tops of the thighs.
        radii = (0.094 * girth**0.5, 0.118 * girth**0.5)
        figure.add(*at, (0, 0.045, 0), (0, -0.06, 0), radii, garment, (1, 1, 0.82), hem, chest)
    radii = (hips * 0.96, hips * 0.98)
    figure.add(*at, (0, -0.020, -0.003), (0, 0.010, 0), radii, figure.below, (1, 0.85, flat[2]))
    if looks.lower == 'trousers':
        left, right = (0.036, -0.014, -0.022), (-0.036, -0.014, -0.022)
        figure.add(*at, left, right, (0.047 * girth, 0.047 * girth), figure.below, (1, 1.25, 1))


# Bone: the joint it starts from.
_ROOTS = {'upper_arm': 'shoulder', 'forearm': 'elbow', 'thigh': 'hip', 'shin': 'knee'}


def add_arm(figure: Figure, side: str) -> None:
    """Upper arm, forearm with its muscle, palm, fingers, thumb."""
    build, sleeves, cloth = figure.build, figure.looks.sleeves, figure.cloth
    slim = build.girth * (1.0 - 0.12 * build.feminine)
    elbow, hand = 0.028 * slim, Part[f'{side.upper()}_HAND']
    _add_limb(figure, side, 'upper_arm', (0.038 * slim, elbow), min(1, sleeves), cloth, 0.15)
    _add_limb(figure, side, 'forearm', (elbow, 0.0185 * slim), max(0, sleeves - 1), cloth, 1.0)
    if sleeves < 1.3:
        swell, end = (0, -0.02, 0.002), (0, -0.3 * build.forearm, 0.003)
        fore = Part[f'{side.upper()}_FOREARM']
        figure.add(fore, f'{side}_elbow', f'{side}_forearm', swell, end, (0.96 * elbow, 0.98 * elbow), figure.skin)
    at = (hand, f'{side}_wrist', f'{side}_forearm')
    inward, palm = -1 if side == 'left' else 1, (0.55, 1.0, 1.0)
    figure.add(*at, (0, -0.012, 0), (0, -0.045, 0.001), (0.019, 0.0235), figure.skin, palm)
    figure.add(*at, (0, -0.05, 0), (inward * 0.010, -0.088, 0.004), (0.0215, 0.014), figure.skin, palm)
    figure.add(*at, (0, -0.02, 0.014), (inward * 0.006, -0.055, 0.031), (0.0105, 0.008), figure.skin)


def add_leg(figure: Figure, side: str) -> None:
    """Thigh, shin and calf."""
    build, g, looks = figure.build, figure.build.girth, figure.looks
    covered = looks.legs if looks.lower == 'trousers' else 0.0
    top, knee = (0.049 + 0.004 * build.feminine) * g, 0.037 * g
    if looks.lower == 'trousers':
        _add_limb(figure, side, 'thigh', (top, knee), min(1, covered), figure.below, 0.2)
    else:
        # What a skirt hides is left out, or it would poke through the cloth.
        start = np.clip(build.leg * looks.legs / 2 - 0.05, 0, build.thigh - 0.02)
        radii = (top + (knee - top) * start / build.thigh, knee)
        at = (Part[f'{side.upper()}_THIGH'], f'{side}_hip', f'{side}_thigh')
        figure.add(*at, (0, -start, 0), (0, -build.thigh, 0), radii, figure.skin)
    calf, end = (0, -0.045, -0.010), (0, -0.5 * build.shin, -0.008)
    paint = figure.below if covered > 1.5 else figure.skin
    shin = Part[f'{side.upper()}_SHIN']
    figure.add(shin, f'{side}_knee', f'{side}_shin', calf, end, (0.034 * g, 0.028 * g), paint)
    _add_limb(figure, side, 'shin', (0.036 * g, 0.024 * g), max(0, covered - 1), figure.below, 1.0)


def add_foot(figure: Figure, side: str) -> None:
    """A shoe, or a bare foot."""
    at = (Part[f'{side.upper()}_FOOT'], f'{side}_ankle', f'{side}_foot')
    looks, ground = figure.looks, (0, -1, 0, 0.046)
    paint = figure.skin if looks.barefoot else shoe(looks.shoes, looks.soles, -0.036)
    narrow, flat = (0.92, 1.0, 1.0), (1.15, 0.7, 1.0)
    figure.add(*at, (0, -0.008, -0.006), (0, -0.020, -0.016), (0.027, 0.029), paint, narrow, ground)
    figure.add(*at, (0, -0.010, 0.006), (0, -0.028, 0.092), (0.030, 0.021), paint, narrow, ground)
    figure.add(*at, (0, -0.030, 0.05), (0, -0.031, 0.092), (0.026, 0.024), paint, flat, ground)


def _add_limb(
    figure: Figure,
    side: str,
    bone: str,
    radii: tuple[float, float],
    covered: float,
    cloth: Paint,
    hangs: float,
) -> None:
    """A bone's flesh, and a sleeve or leg of cloth over its first `covered` share.

    Cloth rests on the body where it starts if `hangs` is 0, and stands off if it is 1.
    """
    at = (Part[f'{side}_{bone}'.upper()], f'{side}_{_ROOTS[bone]}', f'{side}_{bone}')
    length, loose = getattr(figure.build, bone), figure.looks.looseness
    wholly = covered >= 0.97
    if not wholly:
        figure.add(*at, (0, 0, 0), (0, -length, 0), radii, figure.skin)
    if covered > 0.02:
        reach = length if wholly else covered * length
        first = (1.04 + 0.3 * hangs * loose) * radii[0]
        last = radii[0] + (radii[1] - radii[0]) * min(1, covered)
        last *= (1.04 if wholly else 1.16) + 0.3 * loose
        cut = None if wholly else (0, -1, 0, reach)
        figure.add(*at, (0, 0, 0), (0, -reach - 0.01, 0), (first, last), cloth, cut=cut)


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


def person_solids(skeleton: Skeleton, build: Build, looks: Appearance, pose: Pose) -> list[Solid]:
    """Returns every solid of a person, in the skeleton's axes."""
    figure = Figure(skeleton, build, looks)
    add_trunk(figure)
    for side in SIDES:
        add_arm(figure, side)
        add_leg(figure, side)
        add_foot(figure, side)
    if looks.lower != 'trousers':
        add_skirt(figure)
    if looks.backpack is not None:
        add_backpack(figure, looks.backpack)
    if pose.seat:
        add_stool(figure)
    return figure.solids + head_solids(skeleton, build, looks)
