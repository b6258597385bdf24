"""What people do: seeded recipes of joint angles, kept inside joint limits."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

LEFT, RIGHT = 0, 1

# Columns of `Pose.arms` and `Pose.legs`.
ABDUCTION, FLEXION, TWIST, BEND = range(4)

ARM_LIMITS = np.array([[-12, 178], [-45, 165], [-95, 95], [0, 145]], dtype=float)
LEG_LIMITS = np.array([[-10, 60], [-30, 125], [-20, 40], [0, 140]], dtype=float)
SPINE_LIMITS = np.array([[-15, 60], [-22, 22], [-30, 30]], dtype=float)
HEAD_LIMITS = np.array([[-60, 60], [-30, 35], [-20, 20]], dtype=float)


@dataclass
class Pose:
    """Joint angles in degrees; all zero is standing at attention.

    Attributes:
        lean: (2,) tilt of the whole pelvis: forward, to the left.
        spine: (3,) bend forward, bend to the side, twist.
        head: (3,) turn, nod, tilt.
        arms: (2, 4) left and right; abduction, flexion, outward twist, elbow bend.
        legs: (2, 4) left and right; abduction, flexion, outward twist, knee bend.
        seat: Whether the person sits on a stool.
        airborne: Whether the feet have left the ground.
    """

    lean: np.ndarray = field(default_factory=lambda: np.zeros(2))
    spine: np.ndarray = field(default_factory=lambda: np.zeros(3))
    head: np.ndarray = field(default_factory=lambda: np.zeros(3))
    arms: np.ndarray = field(default_factory=lambda: np.array([[9.0, 2, -8, 12]] * 2))
    legs: np.ndarray = field(default_factory=lambda: np.array([[3.0, 1, 8, 3]] * 2))
    seat: bool = False
    airborne: bool = False


def _stand(rng: np.random.Generator) -> Pose:
    pose = Pose()
    pose.legs[:, ABDUCTION] += rng.uniform(0, 9)
    if rng.random() < 0.4:
        relaxed = rng.integers(2)
        pose.legs[relaxed] += [4, 14, 6, 22]
    return pose


def _walk(rng: np.random.Generator) -> Pose:
    pose = Pose()
    stride, ahead = rng.uniform(12, 30), rng.integers(2)
    pose.legs[ahead, [FLEXION, BEND]] = stride, rng.uniform(2, 14)
    pose.legs[1 - ahead, [FLEXION, BEND]] = -0.7 * stride, rng.uniform(10, 40)
    pose.arms[ahead, [FLEXION, BEND]] = -stride, rng.uniform(8, 25)
    pose.arms[1 - ahead, [FLEXION, BEND]] = stride, rng.uniform(15, 45)
    pose.spine[2] = (8 if ahead == LEFT else -8) * rng.uniform(0, 1)
    return pose


def _run(rng: np.random.Generator) -> Pose:
    pose, ahead = Pose(), rng.integers(2)
    pose.lean[0] = rng.uniform(4, 16)
    pose.legs[ahead] = [3, rng.uniform(45, 85), 4, rng.uniform(50, 95)]
    pose.legs[1 - ahead] = [3, rng.uniform(-15, 10), 4, rng.uniform(25, 95)]
    pose.arms[ahead] = [12, rng.uniform(-45, -25), -10, rng.uniform(70, 100)]
    pose.arms[1 - ahead] = [10, rng.uniform(25, 60), -25, rng.uniform(70, 110)]
    pose.airborne = bool(rng.random() < 0.4)
    return pose


def _arms_up(rng: np.random.Generator) -> Pose:
    pose = _stand(rng)
    pose.arms[:, ABDUCTION] = rng.uniform(120, 172)
    pose.arms[:, FLEXION] = rng.uniform(-5, 15)
    pose.arms[:, TWIST] = rng.uniform(40, 90)
    pose.arms[:, BEND] = rng.uniform(0, 60)
    return pose


def _wave(rng: np.random.Generator) -> Pose:
    pose, side = _stand(rng), rng.integers(2)
    pose.arms[side] = [rng.uniform(60, 115), rng.uniform(0, 25), 88, rng.uniform(50, 120)]
    return pose


def _hands_on_hips(rng: np.random.Generator) -> Pose:
    pose = _stand(rng)
    sides = [LEFT, RIGHT] if rng.random() < 0.6 else [rng.integers(2)]
    pose.arms[sides] = [rng.uniform(40, 52), -12, -78, rng.uniform(88, 102)]
    return pose


def _arms_crossed(rng: np.random.Generator) -> Pose:
    pose, upper = _stand(rng), rng.integers(2)
    pose.arms[upper] = [8, 38, -66, 100]
    pose.arms[1 - upper] = [8, 30, -62, 92]
    return pose


def _sit(rng: np.random.Generator) -> Pose:
    pose = Pose(seat=True)
    pose.lean[0] = rng.uniform(-12, 12)
    pose.legs[:, ABDUCTION] = rng.uniform(2, 20)
    pose.legs[:, FLEXION] = rng.uniform(78, 92) + pose.lean[0]
    pose.legs[:, BEND] = rng.uniform(68, 100)
    pose.spine[0] = rng.uniform(-5, 25)
    pose.arms[:, FLEXION] = rng.uniform(15, 50)
    pose.arms[:, TWIST] = -25
    pose.arms[:, BEND] = rng.uniform(30, 80)
    return pose


def _crouch(rng: np.random.Generator) -> Pose:
    pose = Pose()
    pose.lean[0] = rng.uniform(5, 20)
    pose.legs[:, ABDUCTION] = rng.uniform(6, 24)
    pose.legs[:, FLEXION] = rng.uniform(85, 115)
    pose.legs[:, BEND] = pose.legs[:, FLEXION] + rng.uniform(0, 20)
    pose.spine[0] = rng.uniform(8, 28)
    pose.head[1] = -12
    pose.arms[:, [FLEXION, BEND]] = rng.uniform(30, 70), rng.uniform(20, 70)
    return pose


def _bend(rng: np.random.Generator) -> Pose:
    pose = Pose()
    pose.lean[0] = rng.uniform(12, 35)
    pose.spine[0] = rng.uniform(20, 45)
    pose.legs[:, FLEXION] = pose.lean[0] + rng.uniform(0, 20)
    pose.legs[:, BEND] = rng.uniform(0, 30)
    pose.arms[:, FLEXION] = rng.uniform(35, 80)
    pose.head[1] = -10
    return pose


def _jump(rng: np.random.Generator) -> Pose:
    pose = Pose(airborne=True)
    pose.legs[:, ABDUCTION] = rng.uniform(4, 35)
    pose.legs[:, FLEXION] = rng.uniform(0, 45, 2)
    pose.legs[:, BEND] = rng.uniform(10, 85, 2)
    pose.arms[:, ABDUCTION] = rng.uniform(60, 155, 2)
    pose.arms[:, TWIST] = rng.uniform(0, 80)
    pose.arms[:, BEND] = rng.uniform(5, 60, 2)
    return pose


def _point(rng: np.random.Generator) -> Pose:
    pose, side = _stand(rng), rng.integers(2)
    pose.arms[side] = [rng.uniform(0, 95), rng.uniform(0, 90), 20, rng.uniform(0, 20)]
    return pose


def _hand_to_face(rng: np.random.Generator) -> Pose:
    pose, side = _stand(rng), rng.integers(2)
    pose.arms[side] = [rng.uniform(8, 30), rng.uniform(35, 60), -25, rng.uniform(105, 130)]
    return pose


def _kick(rng: np.random.Generator) -> Pose:
    pose, side = Pose(), rng.integers(2)
    pose.legs[side] = [8, rng.uniform(35, 85), 8, rng.uniform(0, 50)]
    pose.arms[:, ABDUCTION] = rng.uniform(25, 85, 2)
    pose.lean[0] = rng.uniform(-12, 0)
    return pose


def _lunge(rng: np.random.Generator) -> Pose:
    pose, ahead = _hands_on_hips(rng) if rng.random() < 0.5 else Pose(), rng.integers(2)
    pose.legs[ahead] = [5, rng.uniform(50, 80), 5, rng.uniform(60, 85)]
    pose.legs[1 - ahead] = [3, rng.uniform(-28, -12), 5, rng.uniform(15, 45)]
    return pose


def _dance(rng: np.random.Generator) -> Pose:
    pose = Pose()
    pose.arms = rng.uniform([10, -20, -30, 5], [160, 60, 80, 110], (2, 4))
    pose.legs[:] = rng.uniform([2, -12, 0, 0], [22, 40, 25, 45], (2, 4))
    pose.spine[1] = rng.uniform(-15, 15)
    return pose


# Recipe and how often it is used; mostly upright people, as in photographs.
RECIPES: tuple[tuple[Callable[[np.random.Generator], Pose], float], ...] = (
    (_stand, 0.20),
    (_walk, 0.17),
    (_run, 0.07),
    (_arms_up, 0.06),
    (_wave, 0.07),
    (_hands_on_hips, 0.06),
    (_arms_crossed, 0.05),
    (_sit, 0.07),
    (_crouch, 0.03),
    (_bend, 0.03),
    (_jump, 0.04),
    (_point, 0.05),
    (_hand_to_face, 0.03),
    (_kick, 0.02),
    (_lunge, 0.02),
    (_dance, 0.03),
)


def sample_pose(rng: np.random.Generator) -> Pose:
    """Draws a recipe, shakes its angles and clips them to the joint limits."""
    weights = np.array([weight for _, weight in RECIPES])
    pose = RECIPES[rng.choice(len(RECIPES), p=weights / weights.sum())][0](rng)
    pose.lean = pose.lean + rng.normal(0, 2.0, 2)
    pose.spine = np.clip(pose.spine + rng.normal(0, 4.0, 3), *SPINE_LIMITS.T)
    pose.head = np.clip(pose.head + rng.normal(0, [20, 7, 5]), *HEAD_LIMITS.T)
    pose.arms = np.clip(pose.arms + rng.normal(0, 6.0, (2, 4)), *ARM_LIMITS.T)
    pose.legs = np.clip(pose.legs + rng.normal(0, [2, 4, 4, 4], (2, 4)), *LEG_LIMITS.T)
    pose.legs[:, BEND] = np.maximum(pose.legs[:, BEND], 0)
    return pose
