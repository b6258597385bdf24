"""What an exported file says of itself, read without any package for ONNX.

An ONNX file is a protocol buffer: a sequence of fields, each a key (field number and wire type) and a value. Its
metadata are field 14 of the outermost message, pairs of a name (field 1) and a text (field 2). All else, the weights
included, is skipped.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from dyconv_pose.inference.keypoint_set import KeypointSet
from dyconv_pose.inference.topdown import TopdownSpec

#: The name under which the file's metadata hold a JSON text of :class:`ExportedModel`.
METADATA_KEY = 'dyconv_pose'

#: Raised by one where an older reader could misunderstand what is written.
FORMAT = 2

_METADATA_FIELD = 14


@dataclass(frozen=True)
class ExportedModel:
    """All that is needed beside the graph to go from a picture to keypoints.

    Attributes:
        spec: Preprocessing constants, input size, flip test.
        keypoint_set: Names, flip pairs, skeleton, colours.
        batch: The only batch size that the graph takes; ``None`` where it takes any.
        opset: The version of ONNX's operators.
        storage: How the weights are stored.
        codec: How heatmaps are read.
        source: Name of the config.
    """

    spec: TopdownSpec
    keypoint_set: KeypointSet
    batch: int | None = None
    opset: int = 18
    storage: str = 'float32'
    codec: str = 'MSRAHeatmap'
    source: str = ''

    def to_json(self) -> str:
        """The text that a file carries."""
        content = {**asdict(self), 'spec': self.spec.to_dict(), 'keypoint_set': self.keypoint_set.to_dict()}
        return json.dumps({'format': FORMAT, **content})

    @classmethod
    def from_json(cls, text: str) -> 'ExportedModel':
        """Reads what :meth:`to_json` wrote.

        Raises:
            ValueError: The text is something else, or was written by a version with another format.
        """
        content = json.loads(text)
        try:
            if content.pop('format') != FORMAT:
                raise ValueError('written by another version of dyconv_pose')
            spec = TopdownSpec.from_dict(content.pop('spec'))
            return cls(spec=spec, keypoint_set=KeypointSet.from_dict(content.pop('keypoint_set')), **content)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f'it is not what this project writes ({type(error).__name__}: {error})') from error


def read_exported(path: str | Path) -> ExportedModel:
    """Reads the metadata of an exported file.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: It is no ONNX file, or none that this project exported.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'The model must be an existing ONNX file, got "{path}".')
    remedy = 'export it with "python tools/export.py CONFIG CHECKPOINT --out model.onnx"'
    try:
        entries = dict(_entries(path.read_bytes()))
    except (IndexError, UnicodeDecodeError, ValueError) as error:
        raise ValueError(
            f'The model must be a whole ONNX file, "{path}" is none: copy it again, or {remedy}.'
        ) from error
    if METADATA_KEY not in entries:
        raise ValueError(f'A model must carry the metadata of dyconv_pose, "{path}" has none: {remedy}.')
    try:
        return ExportedModel.from_json(entries[METADATA_KEY])
    except ValueError as error:
        raise ValueError(f'The metadata of "{path}" cannot be used, {error}: {remedy} again.') from error


def _entries(content: bytes) -> Iterator[tuple[str, str]]:
    """The names and texts among a model's metadata."""
    is_empty = True
    for field, value in _fields(content):
        is_empty = False
        if field == _METADATA_FIELD:
            pair = dict(_fields(value))
            yield pair[1].tobytes().decode(), pair.get(2, memoryview(b'')).tobytes().decode()
    if is_empty:
        raise ValueError('an empty file')


def _fields(content: bytes | memoryview) -> Iterator[tuple[int, memoryview]]:
    """The number and bytes of every field of a message; of numbers, no bytes.

    Raises:
        IndexError: The message ends early.
        ValueError: A field is of no known kind.
    """
    view, place = memoryview(content), 0
    while place < len(view):
        key, place = _number(view, place)
        kind, start = key & 7, place
        if kind == 0:
            _, place = _number(view, place)
            start = place
        elif kind == 2:
            length, start = _number(view, place)
            place = start + length
        elif kind in (1, 5):
            start = place = place + (8 if kind == 1 else 4)
        else:
            raise ValueError(f'unknown kind of field {kind}')
        if place > len(view):
            raise IndexError('the file ends within a field')
        yield key >> 3, view[start:place]


def _number(view: memoryview, place: int) -> tuple[int, int]:
    """The number of variable length at a place, and the place after it."""
    value = shift = 0
    while True:
        byte = view[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
