"""Collects the solids of a body, each given in the coordinates of a joint and a bone."""

import numpy as np

from .appearance import Appearance
from .body import Build, Skeleton
from .paints import patterned, plain
from .parts import Part
from .solids import Paint, Solid

ROUND = (1.0, 1.0, 1.0)


class Figure:
    """The solids of one person, and what all of them are made from.

    Attributes:
        points, frames: Of the skeleton, by name.
        build, looks: Of the person.
        solids: What was added so far.
        skin, cloth, below: Paints of bare skin, the upper and the lower garment.
    """

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
