"""What people look like: skin, hair, and what they wear."""

from dataclasses import dataclass

import numpy as np

from .body import Build
from .poses import ABDUCTION, FLEXION, Pose

# BGR, 0..255, from light to dark.
SKIN_TONES = (
    (186, 203, 238), (170, 194, 234), (152, 182, 228), (134, 168, 218), (114, 148, 204),
    (95, 130, 190), (75, 105, 160), (60, 85, 130), (48, 65, 100), (38, 50, 78),
)  # fmt: skip
HAIR_COLOURS = (
    (22, 20, 22), (30, 32, 42), (35, 50, 78), (50, 80, 125), (95, 150, 195),
    (130, 190, 225), (40, 75, 160), (150, 150, 155), (215, 215, 218),
)  # fmt: skip
IRIS_COLOURS = ((40, 60, 95), (30, 40, 60), (150, 120, 70), (80, 110, 60), (110, 110, 100))
DENIM_AND_CHINO = (
    (120, 75, 45), (90, 55, 35), (50, 40, 35), (70, 70, 72), (105, 140, 165), (150, 185, 205),
    (45, 60, 60), (160, 125, 90),
)  # fmt: skip

HAIR_STYLES = ('short', 'crop', 'long', 'bob', 'ponytail', 'bun', 'afro', 'bald', 'cap', 'beanie')


@dataclass(frozen=True)
class Appearance:
    """One person's looks; colours are (3,) float64 BGR in 0..1.

    Attributes:
        skin, hair, iris: Colours.
        hair_style: One of `HAIR_STYLES`.
        hat: Colour of cap or beanie.
        beard: 0 is shaven; else how far it climbs the cheeks.
        glasses: Whether glasses are worn.
        smile: Curvature of the mouth.
        top, top_second: Colours of the upper garment and of its pattern.
        pattern: Pattern of the upper garment, see `paints.patterned`.
        pitch: Distance of the pattern's repeats, statures.
        front: Detail of the garment's front, see `paints.top_front`.
        collar: Depth of the neck opening, statures.
        sleeves: 0 none, 1 to the elbow, 2 to the wrist.
        looseness: How far cloth stands off the body, 0 to 1.
        hem: Height over the hip joints where the upper garment ends, statures.
        bottom: Colour of the lower garment.
        lower: 'trousers', 'skirt' or 'dress'.
        legs: 0 none, 1 to the knee, 2 to the ankle.
        shoes, soles: Colours.
        barefoot: Whether the person wears no shoes.
        backpack: Colour, or None for none.
    """

    skin: np.ndarray
    hair: np.ndarray
    iris: np.ndarray
    hair_style: str
    hat: np.ndarray
    beard: float
    glasses: bool
    smile: float
    top: np.ndarray
    top_second: np.ndarray
    pattern: str
    pitch: float
    front: str
    collar: float
    sleeves: float
    looseness: float
    hem: float
    bottom: np.ndarray
    lower: str
    legs: float
    shoes: np.ndarray
    soles: np.ndarray
    barefoot: bool
    backpack: np.ndarray | None


def sample_colour(rng: np.random.Generator) -> np.ndarray:
    """Draws a dye: any hue, muted about as often as vivid; (3,) BGR in 0..1."""
    hue, saturation, value = rng.random(), rng.beta(1.6, 1.8), rng.uniform(0.18, 0.97)
    wheel = np.clip(np.abs(np.mod(hue + np.array([1 / 3, 2 / 3, 1.0]), 1) * 6 - 3) - 1, 0, 1)
    return value * (1 - saturation * (1 - wheel))


def _pick(rng: np.random.Generator, colours: tuple, spread: float) -> np.ndarray:
    colour = np.array(colours[rng.integers(len(colours))]) / 255
    return np.clip(colour * rng.normal(1, spread), 0.03, 1)


def legs_together(pose: Pose) -> bool:
    """Says whether one piece of cloth can wrap both thighs."""
    return not pose.seat and np.abs(pose.legs[:, FLEXION]).max() < 34 and pose.legs[:, ABDUCTION].max() < 17


def sample_appearance(rng: np.random.Generator, build: Build, pose: Pose) -> Appearance:
    """Draws looks that suit the build and in which the pose can be taken."""
    feminine = build.feminine > 0.5
    weights = [1, 1, 6, 4, 4, 2, 1, 0, 1, 1] if feminine else [8, 5, 0.6, 0.8, 0.3, 0.2, 1, 1.5, 2, 1]
    weights = np.array(weights) / np.sum(weights)
    lower = 'trousers'
    if feminine and legs_together(pose):
        lower = str(rng.choice(['trousers', 'skirt', 'dress'], p=[0.55, 0.22, 0.23]))
    trousers = rng.choice([2.0, 1.0, 0.55], p=[0.66, 0.22, 0.12])
    legs = rng.uniform(0.55, 1.5) if lower != 'trousers' else trousers * rng.uniform(0.85, 1.0)
    bottom = sample_colour(rng) if rng.random() < 0.4 else _pick(rng, DENIM_AND_CHINO, 0.15)
    sleeves = rng.choice([0.0, 0.45, 1.2, 2.0], p=[0.12, 0.40, 0.08, 0.40])
    untucked = lower == 'trousers' and legs_together(pose) and rng.random() < 0.45
    bearded = not feminine and build.stature > 0.85 and rng.random() < 0.3
    return Appearance(
        skin=_pick(rng, SKIN_TONES, 0.05),
        hair=_pick(rng, HAIR_COLOURS, 0.12),
        iris=_pick(rng, IRIS_COLOURS, 0.1),
        hair_style=str(rng.choice(HAIR_STYLES, p=weights)),
        hat=sample_colour(rng),
        beard=rng.uniform(0.1, 0.9) if bearded else 0.0,
        glasses=bool(rng.random() < 0.14),
        smile=rng.uniform(0.1, 1.6),
        top=sample_colour(rng),
        top_second=sample_colour(rng),
        pattern=str(
            rng.choice(
                ['plain', 'hoops', 'pinstripes', 'checks', 'dots', 'blocks'],
                p=[0.55, 0.15, 0.07, 0.08, 0.06, 0.09],
            )
        ),
        pitch=rng.uniform(0.022, 0.055),
        front=str(
            rng.choice(
                ['none', 'buttons', 'zip', 'logo', 'print', 'open'],
                p=[0.22, 0.2, 0.12, 0.12, 0.18, 0.16],
            )
        ),
        collar=rng.uniform(0.0, 0.05),
        sleeves=float(np.clip(sleeves * rng.uniform(0.9, 1.1), 0, 2)),
        looseness=rng.uniform(0, 1) ** 1.5,
        hem=rng.uniform(-0.05, -0.01) if untucked else rng.uniform(0.02, 0.05),
        bottom=bottom,
        lower=lower,
        legs=float(legs),
        shoes=sample_colour(rng),
        soles=np.full(3, rng.choice([0.9, 0.75, 0.15])),
        barefoot=bool(rng.random() < 0.06),
        backpack=sample_colour(rng) if rng.random() < 0.09 else None,
    )
