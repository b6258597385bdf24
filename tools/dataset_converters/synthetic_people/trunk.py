"""Ribcage, shoulders, belly, pelvis and neck, and the garment over them."""

from .body import WAIST_ABOVE_HIPS
from .figure import Figure
from .paints import top_front
from .parts import Part
from .solids import Paint


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
