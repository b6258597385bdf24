"""The articulated skeleton: build, forward kinematics, and the 17 COCO keypoints.

Lengths are in statures: fractions of the person's own height. Body axes: X to the person's left,
Y up, Z forward. A person who faces the camera has exactly the camera's axes:
x right, y up, z towards the viewer.
"""

from dataclasses import dataclass

import numpy as np

from .poses import ABDUCTION, BEND, FLEXION, TWIST, Pose


def rot_x(degrees: float) -> np.ndarray:
    """Returns the (3, 3) float64 rotation about X; positive tips Y towards Z."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def rot_y(degrees: float) -> np.ndarray:
    """Returns the (3, 3) float64 rotation about Y; positive turns Z towards X."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def rot_z(degrees: float) -> np.ndarray:
    """Returns the (3, 3) float64 rotation about Z; positive tips X towards Y."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


SIDES = ('left', 'right')
SIGNS = (1.0, -1.0)
WAIST_ABOVE_HIPS = 0.095

KEYPOINT_NAMES = (
    'nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear',
    'left_shoulder', 'right_shoulder', 'left_elbow', 'right_elbow',
    'left_wrist', 'right_wrist', 'left_hip', 'right_hip',
    'left_knee', 'right_knee', 'left_ankle', 'right_ankle',
)  # fmt: skip


@dataclass(frozen=True)
class Build:
    """Proportions of one person; lengths in fractions of the person's own height.

    Attributes:
        torso: From the hip line to the shoulder line.
        shoulder: Half the distance between the shoulder joints.
        hip: Half the distance between the hip joints.
        upper_arm, forearm, thigh, shin: Lengths of the segments.
        head: (3,) half width, half height, half depth of the skull.
        girth: Thickness of limbs and trunk, 1 is average.
        belly: Extra depth of the abdomen, 0 is flat.
        feminine: 0 to 1, narrows the waist and widens the hips.
        stature: Height relative to an average adult's.
    """

    torso: float
    shoulder: float
    hip: float
    upper_arm: float
    forearm: float
    thigh: float
    shin: float
    head: np.ndarray
    girth: float
    belly: float
    feminine: float
    stature: float

    @property
    def leg(self) -> float:
        """Length from hip joint to ankle."""
        return self.thigh + self.shin


def sample_build(rng: np.random.Generator) -> Build:
    """Draws a build: four adults to one child, every proportion varied by some percent."""
    childlike = rng.uniform(0.4, 1.0) if rng.random() < 0.2 else 0.0
    feminine = float(np.clip(rng.choice([0.1, 0.9]) + rng.normal(0, 0.15), 0, 1))
    stature = (1.0 - 0.05 * feminine) * (1 - 0.42 * childlike) * rng.normal(1, 0.035)
    jitter = rng.normal(1, 0.035, 8)
    limbs, head = 1 - 0.13 * childlike, 1 + 0.36 * childlike
    girth = float(np.clip(rng.normal(1.0, 0.13), 0.78, 1.35))
    return Build(
        torso=0.288 * jitter[0],
        shoulder=(0.112 - 0.012 * feminine - 0.008 * childlike) * jitter[1] * girth**0.25,
        hip=(0.051 + 0.004 * feminine) * jitter[2],
        upper_arm=0.170 * jitter[3] * limbs,
        forearm=0.145 * jitter[3] * limbs,
        thigh=0.245 * jitter[4] * limbs,
        shin=0.235 * jitter[5] * limbs,
        head=np.array([0.054, 0.073, 0.064]) * head * rng.normal(1, 0.03, 3) * jitter[6],
        girth=girth,
        belly=float(max(0.0, rng.normal(-0.1, 0.5)) * (girth > 0.95)),
        feminine=feminine * (1 - 0.7 * childlike),
        stature=float(stature),
    )


@dataclass
class Skeleton:
    """Joints and bone frames of one posed person.

    Attributes:
        points: Name to (3,) position.
        frames: Name to (3, 3) rotation; its columns are the bone's X, Y, Z axes.
    """

    points: dict[str, np.ndarray]
    frames: dict[str, np.ndarray]

    def rotated(self, rotation: np.ndarray) -> 'Skeleton':
        """Returns the skeleton turned as a whole by a (3, 3) rotation."""
        return Skeleton(
            {name: rotation @ point for name, point in self.points.items()},
            {name: rotation @ frame for name, frame in self.frames.items()},
        )

    def keypoints(self) -> np.ndarray:
        """Returns the (17, 3) COCO keypoints in COCO's order."""
        return np.stack([self.points[name] for name in KEYPOINT_NAMES])


def pose_skeleton(build: Build, pose: Pose) -> Skeleton:
    """Places every joint: pelvis at the origin, then the chains of limbs."""
    skeleton = Skeleton({'pelvis': np.zeros(3)}, {})
    points, frames = skeleton.points, skeleton.frames
    frames['pelvis'] = rot_x(pose.lean[0]) @ rot_z(-pose.lean[1])
    flex, bend, twist = pose.spine
    frames['chest'] = frames['pelvis'] @ rot_x(flex) @ rot_z(bend) @ rot_y(twist)
    frames['belly'] = frames['pelvis'] @ rot_x(flex / 2) @ rot_z(bend / 2) @ rot_y(twist / 2)
    points['waist'] = frames['belly'] @ [0, WAIST_ABOVE_HIPS, 0]
    upper = build.torso - WAIST_ABOVE_HIPS
    points['neck'] = points['waist'] + frames['chest'] @ [0, upper + 0.012, -0.006]
    _place_head(skeleton, build, pose)
    for side, sign in enumerate(SIGNS):
        _place_arm(skeleton, build, pose, side, sign, upper)
        _place_leg(skeleton, build, pose, side, sign)
    return skeleton


def _place_head(skeleton: Skeleton, build: Build, pose: Pose) -> None:
    points, frames = skeleton.points, skeleton.frames
    turn, nod, tilt = pose.head
    frames['neck'] = frames['chest'] @ rot_x(8 + nod / 3) @ rot_z(tilt / 2)
    frames['head'] = frames['chest'] @ rot_y(turn) @ rot_x(nod) @ rot_z(tilt)
    _, half_height, half_depth = build.head
    points['skull_base'] = points['neck'] + frames['neck'] @ [0, 0.036, 0.0]
    points['head'] = points['skull_base'] + frames['head'] @ [
        0, 0.80 * half_height, 0.14 * half_depth,
    ]  # fmt: skip
    on_head = {'nose': (0, -0.20, 1.16)}
    for name, sign in zip(SIDES, SIGNS, strict=True):
        x, y = 0.40, 0.06
        on_head[f'{name}_eye'] = (sign * x, y, np.sqrt(1 - x * x - y * y))
        on_head[f'{name}_ear'] = (sign * 1.02, -0.06, -0.06)
    for name, place in on_head.items():
        points[name] = points['head'] + frames['head'] @ (np.array(place) * build.head)


def _place_arm(skeleton: Skeleton, build: Build, pose: Pose, side: int, sign: float, upper: float) -> None:
    points, frames, name = skeleton.points, skeleton.frames, SIDES[side]
    angles = pose.arms[side]
    # The shoulder blade lifts the joint when the arm rises above the horizontal.
    lift = 0.028 * np.clip((max(angles[ABDUCTION], angles[FLEXION]) - 60) / 110, 0, 1)
    points[f'{name}_shoulder'] = points['waist'] + frames['chest'] @ [
        sign * (build.shoulder - 0.6 * lift), upper - 0.026 + lift, 0,
    ]  # fmt: skip
    frame = (
        frames['chest'] @ rot_z(sign * angles[ABDUCTION])
        @ rot_x(-angles[FLEXION]) @ rot_y(sign * angles[TWIST])
    )  # fmt: skip
    frames[f'{name}_upper_arm'] = frame
    points[f'{name}_elbow'] = points[f'{name}_shoulder'] + frame @ [0, -build.upper_arm, 0]
    frame = frame @ rot_x(-angles[BEND])
    frames[f'{name}_forearm'] = frame
    points[f'{name}_wrist'] = points[f'{name}_elbow'] + frame @ [0, -build.forearm, 0]


def _place_leg(skeleton: Skeleton, build: Build, pose: Pose, side: int, sign: float) -> None:
    points, frames, name = skeleton.points, skeleton.frames, SIDES[side]
    angles = pose.legs[side]
    points[f'{name}_hip'] = frames['pelvis'] @ [sign * build.hip, 0, 0]
    frame = (
        frames['pelvis'] @ rot_z(sign * angles[ABDUCTION])
        @ rot_x(-angles[FLEXION]) @ rot_y(sign * angles[TWIST])
    )  # fmt: skip
    frames[f'{name}_thigh'] = frame
    points[f'{name}_knee'] = points[f'{name}_hip'] + frame @ [0, -build.thigh, 0]
    frame = frame @ rot_x(angles[BEND])
    frames[f'{name}_shin'] = frame
    points[f'{name}_ankle'] = points[f'{name}_knee'] + frame @ [0, -build.shin, 0]
    # A foot stays level as far as the ankle allows.
    level = np.clip(angles[FLEXION] - pose.lean[0] - angles[BEND], -55, 22)
    frames[f'{name}_foot'] = frame @ rot_x(level)
