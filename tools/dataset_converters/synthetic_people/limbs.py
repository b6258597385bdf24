"""Arms, legs and feet, bare or clothed."""

import numpy as np

from .figure import Figure
from .paints import shoe
from .parts import Part
from .solids import Paint

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
