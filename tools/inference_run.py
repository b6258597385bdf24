"""Inference on everything that a user names, by ``tools/infer.py``."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from inference_files import Source, expand, write_image, write_results
from run_options import require_display

from dyconv_pose.inference import Boxes, Image, PoseEstimator, read_image
from dyconv_pose.inference.images import draw_heatmaps, draw_poses
from dyconv_pose.inference.predictor import Tracker
from dyconv_pose.inference.results import Poses, coco_results, confidences, without_duplicates


@dataclass
class RunOptions:
    """What a run writes and shows."""

    overlays: bool = True  # images and videos with skeletons
    heatmaps: bool = False  # heatmaps over the images, in files of their own
    draw_boxes: bool = False
    show: bool = False  # a window with the overlays; its q key ends the run
    keypoint_threshold: float = 0.3  # keypoints that score less are not drawn
    duplicate_threshold: float = 0.9  # persons more similar than this are one; 1 keeps all
    detect_every: int = 1  # on videos, the detector runs on every n-th frame, and in between persons are tracked
    max_frames: int | None = None  # where a video or camera ends at the latest


class _Quit(Exception):  # noqa: N818
    """The user closed the window."""


class Run:
    """One run over inputs, which writes into ``out_dir``; the results file whatever happens on the way.

    ``progress`` has ``start(what, total)`` (None where that is unknown), ``advance()`` for each image or frame, and
    ``fail(message)`` for each input that is skipped. A ValueError is raised where there is no display for a window.
    """

    def __init__(self, estimator: PoseEstimator, out_dir: str | Path, options: RunOptions, progress: Any) -> None:
        if options.show:
            require_display()
        if options.detect_every < 1:
            raise ValueError(f'The detector must run every n-th frame with n at least 1, got {options.detect_every}.')
        self.estimator, self.options, self.progress, self.folder = estimator, options, progress, Path(out_dir)
        self.images = 0  # done images and frames
        self.persons = Counter()  # how many were found in an input, by its name
        self.doubtful = 0  # persons that score less than estimator.person_threshold
        self.left_out = []  # files of folders that are neither images nor videos
        self.failures = []  # a sentence for each input that could not be used, or not whole
        self.has_replaced = False  # whether the folder had results of an earlier run
        self._rows, self._taken, self._next_frame_id = [], set(), 1

    def __call__(self, inputs: list[str]) -> Path:
        """Works through inputs as :func:`expand` takes them and returns the results file; a ValueError without any."""
        sources, results = [], self.folder / 'results.json'
        for text in inputs:
            try:
                sources += expand(text)
            except ValueError as error:
                self.failures.append(str(error))
        if not sources:
            raise ValueError(' '.join(self.failures))
        for failure in self.failures:
            self.progress.fail(failure)
        if hasattr(self.estimator.detector, 'image_id'):  # boxes of known images
            self.estimator.detector.check({one.name: one.path for one in sources if one.kind == 'image'})
        self.left_out = [source.path for source in sources if not source.kind]
        self.has_replaced = results.exists()
        write_results(results, [])  # refuses a wrong folder before anything is done
        try:
            self._do_images([source for source in sources if source.kind == 'image'])
            for source in sources:
                if source.kind in ('video', 'camera'):
                    self._do_video(source)
        except _Quit:
            pass
        finally:
            write_results(results, self._rows)
        return results

    @contextmanager
    def _noting_failures(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, FileNotFoundError) as error:
            self.failures.append(str(error))
            self.progress.fail(str(error))

    def _do_images(self, sources: list[Source]) -> None:
        stems = [Path(source.name).stem for source in sources]
        ids = [int(stem) for stem in stems if stem.isascii() and stem.isdigit()]  # as COCO names its images
        ids = ids if len(set(ids)) == len(stems) else list(range(1, len(stems) + 1))
        self._next_frame_id = max(ids, default=0) + 1
        if sources:
            self.progress.start('images', len(sources))
        wait = 0 if len(sources) == 1 else 1000
        for image, found, source in self.estimator.stream(filter(None, map(self._opened, sources, ids))):
            with self._noting_failures():
                for kind, drawn in self._results(image, found, wait, file_name=source.name):
                    write_image(self._place(kind, source.name, '.jpg'), drawn)
            self.progress.advance()

    def _opened(self, source: Source, image_id: int) -> tuple[Image, Boxes, Source] | None:
        """An image and where its persons are, or None where it cannot be used."""
        with self._noting_failures():
            image = Image(read_image(source.path), source.name, image_id)
            boxes = self.estimator.find(image)
            boxes.check(image)
            if hasattr(self.estimator.detector, 'image_id'):
                image.image_id = self.estimator.detector.image_id(source.name)
            return image, boxes, source
        self.progress.advance()
        return None

    def _do_video(self, source: Source) -> None:
        from inference_video import CameraReader, VideoReader, VideoWriter

        limit, writers = self.options.max_frames or sys.maxsize, {}
        with self._noting_failures():
            reader = CameraReader(source.path) if source.kind == 'camera' else VideoReader(source.path)
            total = min(reader.frames_promised or sys.maxsize, limit)
            self.progress.start(source.name, None if total == sys.maxsize else total)
            try:
                with ExitStack() as stack:
                    for frame, (image, found, pts) in enumerate(islice(self._frames(reader, source), limit)):
                        row = dict(file_name=source.name, frame=frame, time=round(float(pts * reader.time_base), 6))
                        for kind, drawn in self._results(image, found, wait=1, **row):
                            if kind not in writers:
                                place = self._place(kind, source.name, '.mp4')
                                writers[kind] = VideoWriter(place, reader.rate, reader.time_base)
                                stack.callback(lambda kind=kind: writers[kind].close(reader.end))
                            writers[kind].write(drawn, pts)
                        self.progress.advance()
            except ValueError as error:  # boxes of another dataset, a full disk
                raise ValueError(f'The video "{source.path}" ends at frame {reader.frames_read}: {error}') from error
            if reader.frames_read < limit and reader.is_cut_short:
                raise ValueError(
                    f'The video "{source.path}" is cut short or damaged: the {reader.frames_read} frames that it has '
                    'are done, copy it again for the rest.'
                )

    def _frames(self, reader: Iterable, source: Source) -> Iterator[tuple[Image, Poses, int]]:
        """The poses of each frame and its time; batched over frames, or one by one where persons are tracked."""
        frames = ((Image(pixels, f'{source.name} frame {index}'), pts) for index, (pixels, pts) in enumerate(reader))
        if self.options.detect_every == 1 and source.kind == 'video':
            yield from self.estimator.stream((image, self.estimator.find(image), pts) for image, pts in frames)
            return
        tracker = Tracker(self.estimator.find, self.options.detect_every)
        for image, pts in frames:
            found = next(self.estimator.stream([(image, tracker.find(image), pts)]))
            tracker.update(found[1], image.size_wh)
            yield found

    def _results(self, image: Image, found: Poses, wait: int, **row: object) -> Iterator[tuple[str, np.ndarray]]:
        """Notes the persons of an image or frame; yields what is to be written, by folder; shows it ``wait`` ms."""
        options, estimator = self.options, self.estimator
        if image.image_id is None:
            image.image_id, self._next_frame_id = self._next_frame_id, self._next_frame_id + 1
        poses = without_duplicates(found, estimator.keypoint_set.sigmas, options.duplicate_threshold)
        self._rows += coco_results(poses, image.image_id, getattr(estimator.detector, 'category_id', 1), **row)
        is_sure = confidences(poses.scores) >= estimator.person_threshold
        if not getattr(estimator.detector, 'can_miss', False):
            is_sure[:] = True
        self.images, self.doubtful = self.images + 1, self.doubtful + int((~is_sure).sum())
        self.persons[row['file_name']] += int(is_sure.sum())
        poses = poses[is_sure]
        if options.overlays or options.show:
            args = estimator.keypoint_set, options.keypoint_threshold, options.draw_boxes
            overlay = draw_poses(image.pixels, poses, *args)
        if options.overlays:
            yield 'overlays', overlay
        if options.heatmaps:
            yield 'heatmaps', draw_heatmaps(image.pixels, poses)
        if options.show:
            cv2.imshow('poses (q ends)', overlay)
            if cv2.waitKey(wait) & 0xFF == ord('q'):
                raise _Quit

    def _place(self, kind: str, name: str, ending: str) -> Path:
        """A path for a file that belongs to an image or video, different for each call."""
        parts = [part for part in Path(name).with_suffix('').parts if part not in ('..', '/')]
        stem, number = self.folder.joinpath(kind, *parts), 1
        path = stem.with_name(stem.name + ending)
        while path in self._taken:
            number += 1
            path = stem.with_name(f'{stem.name}_{number}{ending}')
        self._taken.add(path)
        return path
