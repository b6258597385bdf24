"""What a run over pictures and videos writes, what it did, and who is told meanwhile."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass
class RunOptions:
    """What is made of the poses.

    Attributes:
        overlays: Whether pictures and videos with skeletons are written.
        heatmaps: Whether heatmaps are drawn over the pictures, in files of their own.
        draw_boxes: Whether overlays show the boxes.
        show: Whether a window shows the overlays; its q key ends the run.
        keypoint_threshold: Keypoints that score less are not drawn.
        duplicate_threshold: Persons more similar than this are one; 1 keeps all.
        detect_every: On videos, the detector runs on every n-th frame, and in between persons are followed.
        max_frames: Where a video or camera ends at the latest; ``None`` for its own end.
    """

    overlays: bool = True
    heatmaps: bool = False
    draw_boxes: bool = False
    show: bool = False
    keypoint_threshold: float = 0.3
    duplicate_threshold: float = 0.9
    detect_every: int = 1
    max_frames: int | None = None


@dataclass
class RunSummary:
    """What a run did.

    Attributes:
        pictures: Pictures and frames done.
        persons: Persons found in them.
        failures: A sentence for each input that could not be used, or not whole.
        results: The results file.
    """

    pictures: int = 0
    persons: int = 0
    failures: list[str] = field(default_factory=list)
    results: Path | None = None


class Progress(Protocol):
    """Is told how a run goes."""

    def start(self, what: str, total: int | None) -> None:
        """A group of pictures or a video begins; ``total`` is ``None`` where its length is unknown."""

    def advance(self) -> None:
        """One picture or frame is done."""

    def fail(self, message: str) -> None:
        """An input is skipped."""
