"""Person sources by name, as a command line gives them."""

from pathlib import Path

from .boxes_file import CocoBoxes
from .persons import Fallback, HogPersons, PersonSource, WholePicture

#: What can be chosen, for a help text.
PERSON_SOURCES = (
    'a COCO annotation or detection file (.json), "image" (each picture is one person), "hog" (OpenCV\'s detector, '
    'the default, and the whole picture where it finds nobody), a YOLOX or RTMDet model (.onnx), or '
    '"mmdet:CONFIG:CHECKPOINT" where MMDetection is installed'
)


def choose_persons(
    name: str,
    annotations: str | None = None,
    threshold: float | None = None,
    device: str = 'cpu',
    trust: bool = False,
) -> PersonSource:
    """Makes the person source of that name.

    Args:
        name: As :data:`PERSON_SOURCES` says.
        annotations: For COCO detections, the annotations that give the pictures' ids.
        threshold: Boxes that score less are left out; ``None`` is the source's own default.
        device: Where MMDetection runs.
        trust: Whether MMDetection's checkpoint may run code while it is read.

    Raises:
        FileNotFoundError: A named file does not exist.
        ImportError: What runs the detector is not installed.
        ValueError: There is no such source, or the file is of another kind.
    """
    limit = {} if threshold is None else {'threshold': threshold}
    if name == 'image':
        return WholePicture()
    if name == 'hog':
        return Fallback(HogPersons(**limit))
    if name.startswith('mmdet:'):
        from dyconv_pose.apis.mmdet_persons import MMDetPersons

        return Fallback(MMDetPersons.of(name, device=device, trust=trust, **limit))
    ending = Path(name).suffix.lower()
    if ending == '.json':
        return CocoBoxes(name, annotations, **limit)
    if ending == '.onnx':
        from .onnx_persons import OnnxPersons

        return OnnxPersons.load(name, **limit)
    raise ValueError(f'Persons must come from {PERSON_SOURCES}; got "{name}".')


def fell_back(persons: PersonSource) -> int:
    """How many pictures were taken whole because a detector found nobody."""
    return persons.fell_back if isinstance(persons, Fallback) else 0
