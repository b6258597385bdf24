"""Dresses a skeleton: from joints and looks to the solids that are drawn."""

import numpy as np

from .appearance import Appearance
from .body import SIDES, WAIST_ABOVE_HIPS, Build, Skeleton
from .heads import head_solids
from .paints import patterned, plain, shoe, top_front
from .parts import Part
from .poses import Pose
from .solids import Paint, Solid

ROUND = (1.0, 1.0, 1.0)


def figure_solids(
    skeleton: Skeleton, build: Build, looks: Appearance, pose: Pose
) -> list[Solid]:
    """Returns every solid of a person, in the skeleton's axes."""
    figure = _Figure(skeleton, build, looks)
    figure.add_trunk()
    for side in SIDES:
        figure.add_arm(side)
        figure.add_leg(side)
        figure.add_foot(side)
    if looks.lower != 'trousers':
        figure.add_skirt()
    if looks.backpack is not None:
        figure.add_backpack(looks.backpack)
    if pose.seat:
        figure.add_stool()
    return figure.solids + head_solids(skeleton, build, looks)


class _Figure:
    """Collects the solids below the head."""

    def __init__(self, skeleton: Skeleton, build: Build, looks: Appearance) -> None:
        self.points, self.frames = skeleton.points, skeleton.frames
        self.build, self.looks = build, looks
        self.solids: list[Solid] = []
        self.skin = plain(looks.skin)
        self.cloth = patterned(looks.pattern, looks.top, looks.top_second, looks.pitch)
        self.below = plain(looks.top if looks.lower == 'dress' else looks.bottom)

    def add(
        self,
        part: Part,
        at: str,
        frame: str,
        start: tuple,
        end: tuple,
        radii: tuple[float, float],
        paint: Paint,
        stretch: tuple[float, float, float] = ROUND,
        cut: tuple[float, float, float, float] | None = None,
        paint_at: tuple[str, str] | None = None,
    ) -> None:
        """Adds a solid given in the coordinates of a joint and a bone, in statures."""
        stretch = np.array(stretch)
        at_paint, frame_paint = paint_at or (at, frame)
        if cut is not None:
            cut = (*(stretch * cut[:3]), cut[3])
        self.solids.append(
            Solid(
                part,
                self.points[at],
                self.frames[frame] * stretch,
                np.array(start, float) / stretch,
                np.array(end, float) / stretch,
                radii,
                paint,
                (self.frames[frame_paint], self.points[at_paint]),
                cut,
            )
        )

    def add_trunk(self) -> None:
        """Ribcage, shoulders, belly, pelvis and neck."""
        build, looks, g = self.build, self.looks, self.build.girth
        upper = build.torso - WAIST_ABOVE_HIPS
        waist = (0.072 - 0.009 * build.feminine) * g
        top = top_front(
            self.cloth, looks.skin, looks.top_second, looks.front, upper - looks.collar
        )
        chest = ('waist', 'chest')
        flat = (1.0, 1.0, 0.66 + 0.05 * g)
        rib = 0.80 * build.shoulder
        self.add(
            Part.TORSO, *chest, (0, 0.0, 0), (0, upper - 0.075, 0), (waist, rib), top, flat,
            (0, -1, 0, WAIST_ABOVE_HIPS - looks.hem),
        )  # fmt: skip
        for sign in (1, -1):
            shoulder = (sign * (build.shoulder - 0.006), upper - 0.029, 0)
            self.add(
                Part.TORSO, *chest, (0, upper - 0.012, 0), shoulder,
                (0.047 * g**0.5, 0.035 * g), top, (1, 1, 0.95),
            )  # fmt: skip
        if build.feminine > 0.5:
            self.add(Part.TORSO, *chest, (-0.036, upper - 0.085, 0.030), (0.036, upper - 0.085, 0.030),
                     (0.039 * g, 0.039 * g), top, (1, 1.15, 1))  # fmt: skip
        hips = (0.086 + 0.006 * build.feminine) * g
        self.add(
            Part.TORSO, 'pelvis', 'belly', (0, min(0.02, looks.hem), 0), (0, WAIST_ABOVE_HIPS, 0),
            (hips * 1.06, waist * 1.03), top, flat, (0, -1, 0, -looks.hem), paint_at=chest,
        )  # fmt: skip
        if looks.hem < 0:
            # An untucked garment hangs over the tops of the thighs.
            self.add(Part.TORSO, 'pelvis', 'pelvis', (0, 0.065, 0), (0, -0.06, 0),
                     (waist * 1.10, 0.112 * g**0.5), top, (1.0, 1.0, 0.78),
                     (0, -1, 0, -looks.hem), paint_at=chest)  # fmt: skip
        if build.belly > 0:
            depth = 0.012 + 0.03 * build.belly
            self.add(Part.TORSO, 'pelvis', 'belly', (0, 0.05, depth), (0, 0.10, depth * 0.8),
                     (0.072 * g, 0.062 * g), top, cut=(0, -1, 0, -looks.hem), paint_at=chest)  # fmt: skip
        self.add(Part.TORSO, 'pelvis', 'pelvis', (0, -0.020, -0.003), (0, 0.010, 0),
                 (hips * 0.96, hips * 0.98), self.below, (1, 0.85, flat[2]))  # fmt: skip
        if looks.lower == 'trousers':
            self.add(Part.TORSO, 'pelvis', 'pelvis', (0.036, -0.014, -0.022),
                     (-0.036, -0.014, -0.022), (0.047 * g, 0.047 * g), self.below,
                     (1, 1.25, 1))  # fmt: skip
        self.add(Part.NECK, 'neck', 'neck', (0, -0.02, 0), (0, 0.075, 0.008),
                 (0.034 * g**0.5, 0.030 * g**0.5), self.skin)  # fmt: skip

    def add_limb(
        self, part: Part, joint: str, frame: str, length: float,
        radii: tuple[float, float], covered: float, cloth: Paint, hangs: float,
    ) -> None:  # fmt: skip
        """A bone's flesh, and a sleeve or leg of cloth over its first `covered` share.

        Cloth rests on the body where it starts if `hangs` is 0, and stands off if it is 1.
        """
        cloth_all = covered >= 0.97
        loose = self.looks.looseness
        if not cloth_all:
            self.add(part, joint, frame, (0, 0, 0), (0, -length, 0), radii, self.skin)
        if covered > 0.02:
            reach = length if cloth_all else covered * length
            first = (1.04 + 0.3 * hangs * loose) * radii[0]
            last = radii[0] + (radii[1] - radii[0]) * min(1, covered)
            last *= (1.04 if cloth_all else 1.16) + 0.3 * loose
            cut = None if cloth_all else (0, -1, 0, reach)
            self.add(part, joint, frame, (0, 0, 0), (0, -reach - 0.01, 0),
                     (first, last), cloth, cut=cut)  # fmt: skip

    def add_arm(self, side: str) -> None:
        """Upper arm, forearm with its muscle, palm, fingers, thumb."""
        build, g = self.build, self.build.girth
        upper, fore = Part[f'{side.upper()}_UPPER_ARM'], Part[f'{side.upper()}_FOREARM']
        slim = g * (1.0 - 0.12 * build.feminine)
        sleeves = self.looks.sleeves
        self.add_limb(upper, f'{side}_shoulder', f'{side}_upper_arm', build.upper_arm,
                      (0.038 * slim, 0.028 * slim), min(1, sleeves), self.cloth, 0.15)  # fmt: skip
        bulge = 0.3 * build.forearm
        if sleeves < 1.3:
            self.add(fore, f'{side}_elbow', f'{side}_forearm', (0, -0.02, 0.002), (0, -bulge, 0.003),
                     (0.027 * slim, 0.0275 * slim), self.skin)  # fmt: skip
        self.add_limb(fore, f'{side}_elbow', f'{side}_forearm', build.forearm,
                      (0.028 * slim, 0.0185 * slim), max(0, sleeves - 1), self.cloth, 1.0)  # fmt: skip
        wrist, frame, hand = f'{side}_wrist', f'{side}_forearm', Part[f'{side.upper()}_HAND']
        inward = -1 if side == 'left' else 1
        palm = (0.55, 1.0, 1.0)
        self.add(hand, wrist, frame, (0, -0.012, 0), (0, -0.045, 0.001), (0.019, 0.0235),
                 self.skin, palm)  # fmt: skip
        self.add(hand, wrist, frame, (0, -0.05, 0), (inward * 0.010, -0.088, 0.004),
                 (0.0215, 0.014), self.skin, palm)  # fmt: skip
        self.add(hand, wrist, frame, (0, -0.02, 0.014), (inward * 0.006, -0.055, 0.031),
                 (0.0105, 0.008), self.skin)  # fmt: skip

    def add_leg(self, side: str) -> None:
        """Thigh, shin and calf."""
        build, g, looks = self.build, self.build.girth, self.looks
        thigh, shin = Part[f'{side.upper()}_THIGH'], Part[f'{side.upper()}_SHIN']
        covered = looks.legs if looks.lower == 'trousers' else 0.0
        top = (0.049 + 0.004 * build.feminine) * g
        if looks.lower == 'trousers':
            self.add_limb(thigh, f'{side}_hip', f'{side}_thigh', build.thigh,
                          (top, 0.037 * g), min(1, covered), self.below, 0.2)  # fmt: skip
        else:
            # What a skirt hides is left out, or it would poke through the cloth.
            start = np.clip(build.leg * looks.legs / 2 - 0.05, 0, build.thigh - 0.02)
            self.add(thigh, f'{side}_hip', f'{side}_thigh', (0, -start, 0), (0, -build.thigh, 0),
                     (top + (0.037 * g - top) * start / build.thigh, 0.037 * g),
                     self.skin)  # fmt: skip
        paint = self.below if covered > 1.5 else self.skin
        at = (f'{side}_knee', f'{side}_shin')
        self.add(shin, *at, (0, -0.045, -0.010), (0, -0.5 * build.shin, -0.008),
                 (0.034 * g, 0.028 * g), paint)  # fmt: skip
        self.add_limb(shin, *at, build.shin, (0.036 * g, 0.024 * g),
                      max(0, covered - 1), self.below, 1.0)  # fmt: skip

    def add_foot(self, side: str) -> None:
        """A shoe, or a bare foot."""
        foot, at = Part[f'{side.upper()}_FOOT'], (f'{side}_ankle', f'{side}_foot')
        looks, cut = self.looks, (0, -1, 0, 0.046)
        paint = self.skin if looks.barefoot else shoe(looks.shoes, looks.soles, -0.036)
        wide = (0.92, 1.0, 1.0)
        self.add(foot, *at, (0, -0.008, -0.006), (0, -0.020, -0.016), (0.027, 0.029),
                 paint, wide, cut)  # fmt: skip
        self.add(foot, *at, (0, -0.010, 0.006), (0, -0.028, 0.092), (0.030, 0.021),
                 paint, wide, cut)  # fmt: skip
        self.add(foot, *at, (0, -0.030, 0.05), (0, -0.031, 0.092), (0.026, 0.024),
                 paint, (1.15, 0.7, 1.0), cut)  # fmt: skip

    def add_skirt(self) -> None:
        """A skirt or the lower half of a dress, wide enough for both thighs."""
        build, looks = self.build, self.looks
        knees = (self.points['left_knee'] + self.points['right_knee']) / 2
        down = knees - self.points['pelvis']
        length = build.leg * looks.legs / 2
        down = down / np.linalg.norm(down)
        across = self.points['left_hip'] - self.points['right_hip']
        across = across - down * (across @ down)
        across /= np.linalg.norm(across)
        self.frames['skirt'] = np.stack([across, -down, np.cross(across, -down)], 1)
        hips, girth = 0.110 * build.girth**0.5, build.girth
        share = length / build.thigh
        half = (self.points['left_knee'] - self.points['right_knee']) / 2
        aside, ahead = np.abs(half @ self.frames['skirt'])[[0, 2]] * share + 0.052 * girth
        hem = max(hips + (0.02 + 0.25 * looks.looseness) * length, aside)
        paint = self.cloth if looks.lower == 'dress' else self.below
        self.add(Part.SKIRT, 'pelvis', 'skirt', (0, 0.045, 0), (0, -0.05, -0.004),
                 (0.086 * girth, hips), paint, (1.0, 1.0, 0.80), (0, -1, 0, 0.05))  # fmt: skip
        self.add(Part.SKIRT, 'pelvis', 'skirt', (0, -0.05, -0.004), (0, -length - 0.02, 0),
                 (hips, hem), paint, (1.0, 1.0, max(0.80, ahead / hem)),
                 (0, -1, 0, length))  # fmt: skip

    def add_backpack(self, colour: np.ndarray) -> None:
        """A bag on the back, with straps over the front."""
        paint = plain(colour)
        self.add(Part.PROP, 'waist', 'chest', (0, 0.0, -0.105), (0, 0.12, -0.10),
                 (0.075, 0.068), paint, (1.0, 1.0, 0.72))  # fmt: skip
        for sign in (1, -1):
            x = sign * 0.68 * self.build.shoulder
            self.add(Part.TORSO, 'waist', 'chest', (x, 0.03, 0.050), (x, 0.165, 0.046),
                     (0.011, 0.011), plain(0.8 * colour))  # fmt: skip

    def add_stool(self) -> None:
        """Something to sit on, upright whatever the person's lean."""
        low = min(self.points[f'{side}_ankle'][1] for side in SIDES) - 0.045
        seat = -0.105 * self.build.girth
        self.frames['upright'] = np.eye(3)
        wood = plain(np.array([0.30, 0.42, 0.55]) * (0.4 + self.looks.looseness))
        steel = plain(np.full(3, 0.25 + 0.5 * self.looks.looseness))
        at, disc = (Part.PROP, 'pelvis', 'upright'), (1.0, 0.16, 1.0)
        self.add(*at, (0, seat, 0.02), (0, seat - 0.01, 0.02), (0.125, 0.12), wood, disc)
        self.add(*at, (0, seat, 0.02), (0, low + 0.02, 0.02), (0.016, 0.016), steel)
        self.add(*at, (0, low + 0.014, 0.02), (0, low + 0.012, 0.02), (0.09, 0.095), steel, disc)
