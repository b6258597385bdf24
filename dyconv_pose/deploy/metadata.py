"""What an exported file says of itself, as JSON among the metadata of the ONNX model."""

import json
from dataclasses import asdict, dataclass

from dyconv_pose.inference import KeypointSet, TopdownSpec

#: The name under which the file's metadata hold the JSON text of :class:`ExportedModel`.
METADATA_KEY = 'dyconv_pose'

#: Raised by one where an older reader could misunderstand what is written.
FORMAT = 2


@dataclass(frozen=True)
class ExportedModel:
    """All that is needed beside the graph to go from an image to keypoints."""

    spec: TopdownSpec
    keypoint_set: KeypointSet
    batch: int | None = None  # the only batch size that the graph takes; None where it takes any
    opset: int = 18  # the version of ONNX's operators
    storage: str = 'float32'  # how the weights are stored
    codec: str = 'MSRAHeatmap'  # how heatmaps are read
    source: str = ''  # name of the config

    def to_json(self) -> str:
        """The text that a file carries."""
        return json.dumps({'format': FORMAT, **asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> 'ExportedModel':
        """Reads what :meth:`to_json` wrote; a ValueError where the text is something else or of another format."""
        content = json.loads(text)
        try:
            if content.pop('format') != FORMAT:
                raise ValueError('written by another version of dyconv_pose')
            spec, keypoint_set = (_with_tuples(content.pop(key)) for key in ('spec', 'keypoint_set'))
            return cls(TopdownSpec(**spec), KeypointSet(**keypoint_set), **content)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f'it is not what this project writes ({type(error).__name__}: {error})') from error


def _with_tuples(value: object) -> object:
    """Tuples for lists, which JSON has in their place."""
    if isinstance(value, dict):
        return {key: _with_tuples(item) for key, item in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value
