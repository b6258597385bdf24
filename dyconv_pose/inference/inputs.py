"""What a user names on the command line: pictures, folders, patterns, videos and cameras."""

import glob
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .pictures import PICTURE_ENDINGS

#: Endings by which videos are recognised.
VIDEO_ENDINGS = frozenset(
    ('.avi', '.flv', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.mts', '.ts', '.webm', '.wmv')
)


@dataclass(frozen=True)
class Source:
    """One picture, video or camera.

    Attributes:
        kind: ``'picture'``, ``'video'`` or ``'camera'``.
        path: The file, or the camera's number.
        name: The path below the folder that was named, or the file's name; results and overlays are called so.
    """

    kind: str
    path: str
    name: str


def expand(inputs: Iterable[str]) -> Iterator[Source | str]:
    """Finds the pictures and videos that are meant.

    Args:
        inputs: Files, folders (searched with all that is in them), patterns such as ``'photos/*.jpg'``, and
            ``webcam`` or ``webcam:1``.

    Yields:
        The sources in order, those of a folder sorted by name; for an input with nothing in it, a sentence about it.
    """
    for text in inputs:
        path = Path(text)
        name, _, number = text.partition(':')
        if name == 'webcam' and (not number or number.isdigit()) and not path.exists():
            yield Source('camera', number or '0', f'webcam_{number or 0}')
        elif path.is_dir():
            found = [one for one in sorted(path.rglob('*')) if _kind(one) and not _hidden(one.relative_to(path))]
            yield from (Source(_kind(one), str(one), one.relative_to(path).as_posix()) for one in found)
            if not found:
                yield f'The folder "{text}" must hold pictures or videos, it holds none that are known by their ending.'
        elif path.exists():
            yield Source(_kind(path) or 'picture', text, path.name)
        else:
            named = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 (Path.glob takes no absolute pattern)
            matches = [Path(one) for one in named if Path(one).is_file()]
            yield from (Source(_kind(one) or 'picture', str(one), one.name) for one in matches)
            if not matches:
                yield f'An input must be an existing file or folder, or a pattern that matches files, got "{text}".'


def _kind(path: Path) -> str:
    ending = path.suffix.lower()
    known = 'video' if ending in VIDEO_ENDINGS else 'picture' if ending in PICTURE_ENDINGS else ''
    return known if known and path.is_file() else ''


def _hidden(path: Path) -> bool:
    return any(part.startswith('.') for part in path.parts)


def image_ids(sources: list[Source]) -> list[int]:
    """Image ids for pictures of no data set: the numbers they are named by, as COCO's, or else 1, 2, 3 and so on."""
    stems = [Path(source.name).stem for source in sources]
    if all(stem.isascii() and stem.isdigit() for stem in stems) and len({int(stem) for stem in stems}) == len(stems):
        return [int(stem) for stem in stems]
    return list(range(1, len(stems) + 1))
