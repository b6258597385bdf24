"""The solids of a head: skull, face, ears, hair, hats."""

import numpy as np

from .appearance import Appearance
from .body import SIDES, SIGNS, Build, Skeleton, rot_x
from .figure import Part
from .paints import face, plain, strands
from .solids import Paint, Solid


def head_solids(skeleton: Skeleton, build: Build, looks: Appearance) -> list[Solid]:
    """Returns skull, jaw, nose, ears, hair and hat."""
    skin = plain(looks.skin)
    features = face(build.head, looks.skin, looks.hair, looks.iris, looks.smile, looks.beard, looks.glasses)
    head = _HeadFrame(skeleton, build)
    jaw = 0.60 + 0.05 * (1 - build.feminine)
    solids = [
        head.solid(Part.HEAD, (0, 0.12, -0.06), (0, 0.12, -0.06), (0.94, 0.94), features),
        head.solid(Part.HEAD, (0, -0.05, 0.10), (0, -0.50, 0.27), (0.86, jaw * 0.82), features),
        head.solid(Part.HEAD, (0, 0.05, 0.86), (0, -0.19, 1.02), (0.07, 0.135), skin),
    ]
    for name, sign in zip(SIDES, SIGNS, strict=True):
        ear = Part[f'{name.upper()}_EAR']
        top, lobe = (sign * 0.90, 0.05, -0.06), (sign * 0.90, -0.16, -0.06)
        solids.append(head.solid(ear, top, lobe, (0.17, 0.11), skin))
    return solids + _hair(head, looks) + _hat(head, looks)


class _HeadFrame:
    """Makes solids in head coordinates, where the skull is a unit sphere."""

    def __init__(self, skeleton: Skeleton, build: Build) -> None:
        self.origin = skeleton.points['head']
        self.rotation = skeleton.frames['head']
        self.axes = self.rotation * build.head

    def solid(
        self,
        part: Part,
        start: tuple,
        end: tuple,
        radii: tuple[float, float],
        paint: Paint,
        cut: tuple[float, float, float, float] | None = None,
    ) -> Solid:
        return Solid(
            part,
            self.origin,
            self.axes,
            np.array(start, float),
            # A sphere is a round cone that hardly moves.
            np.array(end, float) + np.array([0, 1e-2, 0]) * (tuple(start) == tuple(end)),
            radii,
            paint,
            (self.rotation, self.origin),
            cut,
        )


def _hair(head: _HeadFrame, looks: Appearance) -> list[Solid]:
    style, paint = looks.hair_style, strands(looks.hair)
    if style == 'bald':
        return []
    centre = (0, 0.13, -0.08)
    # Cuts away what would hang over the face.
    fringe, low_fringe = (0, -0.75, 0.66, -0.10), (0, -0.55, 0.83, 0.20)
    if style in ('short', 'crop', 'cap', 'beanie'):
        radius = 1.0 if style == 'crop' else 1.07
        return [head.solid(Part.HAIR, centre, centre, (radius, radius), paint, fringe)]
    if style == 'afro':
        cut = (0, -0.62, 0.78, 0.08)
        return [head.solid(Part.HAIR, (0, 0.3, -0.2), (0, 0.3, -0.2), (1.34, 1.34), paint, cut)]
    cap = head.solid(Part.HAIR, centre, centre, (1.09, 1.09), paint, low_fringe)
    bound = head.solid(Part.HAIR, centre, centre, (1.04, 1.04), paint, fringe)
    if style == 'ponytail':
        tail = head.solid(Part.HAIR, (0, 0.45, -1.10), (0, -1.0, -1.35), (0.30, 0.17), paint)
        return [bound, tail]
    if style == 'bun':
        return [bound, head.solid(Part.HAIR, (0, 0.85, -0.75), (0, 0.86, -0.76), (0.4, 0.4), paint)]
    fall = -0.75 if style == 'bob' else -1.9
    solids = [
        cap,
        head.solid(Part.HAIR, (0, 0.05, -0.38), (0, fall, -0.62), (0.92, 0.62), paint),
    ]
    for sign in SIGNS:
        lock = ((sign * 0.80, 0.15, -0.12), (sign * 0.84, 0.7 * fall, -0.18))
        solids.append(head.solid(Part.HAIR, *lock, (0.30, 0.22), paint))
    return solids


def _hat(head: _HeadFrame, looks: Appearance) -> list[Solid]:
    felt = plain(looks.hat)
    if looks.hair_style == 'beanie':
        cut = (0, -0.93, 0.36, -0.20)
        return [head.solid(Part.HAIR, (0, 0.16, -0.06), (0, 0.34, -0.1), (1.12, 1.08), felt, cut)]
    if looks.hair_style != 'cap':
        return []
    cut = (0, -0.97, 0.24, -0.30)
    crown = head.solid(Part.HAIR, (0, 0.14, -0.06), (0, 0.15, -0.06), (1.13, 1.13), felt, cut)
    visor = Solid(
        Part.HAIR,
        head.origin + head.axes @ np.array([0, 0.50, 0.95]),
        head.rotation @ rot_x(14) * (0.046, 0.007, 0.046),
        np.zeros(3),
        np.array([0, 0, 0.5]),
        (1.0, 0.85),
        plain(0.8 * looks.hat),
        (head.rotation, head.origin),
    )
    return [crown, visor]
