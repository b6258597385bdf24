"""What the keypoints of a data set are called and how they hang together."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class KeypointSet:
    """A data set's keypoints.

    Attributes:
        names: The K keypoints' names.
        flip_indices: For each keypoint, the index of its mirror image (its own, where it has none).
        skeleton: The limbs, pairs of keypoint indices.
        keypoint_colors: For each keypoint red, green, blue, 0 to 255.
        limb_colors: The same for each limb.
        sigmas: For each keypoint, how far annotators disagree, in COCO's unit; empty where the data set states none.
        dataset: The data set's name.
    """

    names: tuple[str, ...]
    flip_indices: tuple[int, ...]
    skeleton: tuple[tuple[int, int], ...]
    keypoint_colors: tuple[tuple[int, int, int], ...]
    limb_colors: tuple[tuple[int, int, int], ...]
    sigmas: tuple[float, ...] = ()
    dataset: str = ''

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def from_metainfo(cls, metainfo: Mapping) -> 'KeypointSet':
        """Reads MMPose's parsed metainfo (``parse_pose_metainfo``), which needs no MMPose to read."""
        sigmas = metainfo.get('sigmas')
        return cls(
            names=tuple(metainfo['keypoint_id2name'][index] for index in range(metainfo['num_keypoints'])),
            flip_indices=tuple(int(index) for index in metainfo['flip_indices']),
            skeleton=_rows(metainfo['skeleton_links']),
            keypoint_colors=_rows(metainfo['keypoint_colors']),
            limb_colors=_rows(metainfo['skeleton_link_colors']),
            sigmas=() if sigmas is None else tuple(float(sigma) for sigma in sigmas),
            dataset=str(metainfo.get('dataset_name', '')),
        )

    @classmethod
    def from_dict(cls, content: Mapping) -> 'KeypointSet':
        """Reads what :meth:`to_dict` wrote, lists for tuples where it went through JSON."""
        rows = {name: _rows(content[name]) for name in ('skeleton', 'keypoint_colors', 'limb_colors')}
        flat = {name: tuple(content[name]) for name in ('names', 'flip_indices', 'sigmas')}
        return cls(**flat, **rows, dataset=content.get('dataset', ''))

    def to_dict(self) -> dict:
        """Plain values, for JSON."""
        return asdict(self)


def _rows(values: Iterable[Iterable[float]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(value) for value in row) for row in values)
