"""Inference on everything that a user names, as ``tools/infer.py`` does it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from .boxes_file import CocoBoxes
from .drawing import draw_heatmaps, draw_poses
from .estimator import PoseEstimator
from .inputs import Source, expand, image_ids
from .output import OutputFolder
from .persons import Following
from .pictures import read_picture
from .results import coco_results, without_duplicates, write_results
from .run_options import Progress, RunOptions, RunSummary
from .types import Boxes, Picture, Poses
from .video import FrameReader, FrameWriter


class _Quit(Exception):  # noqa: N818
    """The user closed the window."""


class Run:
    """One run over inputs. The results file is written whatever happens on the way.

    Args:
        estimator: The network and where it looks for persons.
        out_dir: Where everything is written.
        options: What is written.
        progress: Who is told.

    Raises:
        ValueError: The folder cannot be written into, or a window is wanted where there is no display.
    """

    def __init__(self, estimator: PoseEstimator, out_dir: str | Path, options: RunOptions, progress: Progress) -> None:
        if options.show and sys.platform == 'linux' and not {'DISPLAY', 'WAYLAND_DISPLAY'} & set(os.environ):
            raise ValueError('--show needs a display, and there is none here: look at the files in --out-dir instead.')
        self.estimator, self.options, self.progress = estimator, options, progress
        Following(estimator.persons, options.detect_every)  # refuses a wrong number before anything is done
        self.folder = OutputFolder(out_dir)
        self.summary = RunSummary()
        self._rows: list[dict] = []
        self._next_frame_id = 1

    def __call__(self, inputs: list[str]) -> RunSummary:
        """Works through the inputs.

        Args:
            inputs: As :func:`dyconv_pose.inference.inputs.expand` takes them.

        Raises:
            ValueError: Nothing at all was found under the inputs, or a result cannot be written.
        """
        sources = []
        for found in expand(inputs):
            if isinstance(found, str):
                self._fail(found)
            else:
                sources.append(found)
        if not sources:
            raise ValueError(' '.join(self.summary.failures))
        pictures = [source for source in sources if source.kind == 'picture']
        try:
            if pictures:
                self._pictures(pictures)
            for source in sources:
                if source.kind != 'picture':
                    self._video(source)
        except _Quit:
            pass
        finally:
            self.summary.results = self.folder.path / 'results.json'
            write_results(self.summary.results, self._rows)
        return self.summary

    def _fail(self, message: str) -> None:
        self.summary.failures.append(message)
        self.progress.fail(message)

    def _pictures(self, sources: list[Source]) -> None:
        ids = image_ids(sources)
        self._next_frame_id = max(ids) + 1
        self.progress.start('pictures', len(sources))
        for picture, found, source in self.estimator.stream(self._read(sources, ids)):
            poses = self._keep(found)
            self._rows += coco_results(poses, picture.image_id, self._category, file_name=source.name)
            overlay = self._overlay(picture.image, poses)
            try:
                if self.options.overlays:
                    self.folder.write_picture(self.folder.place('overlays', source.name, '.jpg'), overlay)
                if self.options.heatmaps:
                    heat = draw_heatmaps(picture.image, poses)
                    self.folder.write_picture(self.folder.place('heatmaps', source.name, '.jpg'), heat)
            except ValueError as error:
                self._fail(str(error))
            self._show(overlay, wait=0 if len(sources) == 1 else 1000)
            self.progress.advance()

    def _read(self, sources: list[Source], ids: list[int]) -> Iterator[tuple[Picture, Boxes, Source]]:
        known = self.estimator.persons if isinstance(self.estimator.persons, CocoBoxes) else None
        for source, image_id in zip(sources, ids, strict=True):
            try:
                picture = Picture(read_picture(source.path), source.name)
                boxes = self.estimator.persons.find(picture)
                boxes.check(picture)
            except (ValueError, FileNotFoundError) as error:
                self._fail(str(error))
                self.progress.advance()
                continue
            found_id = known.image_id(source.name) if known else None
            picture.image_id = image_id if found_id is None else found_id
            yield picture, boxes, source

    def _video(self, source: Source) -> None:
        try:
            reader = FrameReader(source.path, camera=source.kind == 'camera')
        except (ValueError, FileNotFoundError) as error:
            self._fail(str(error))
            return
        limit = self.options.max_frames
        total = min(reader.frames_promised or sys.maxsize, limit or sys.maxsize)
        self.progress.start(source.name, None if total == sys.maxsize else total)
        writers = {
            kind: FrameWriter(self.folder.place(kind, source.name, '.mp4'), reader.frames_per_second)
            for kind, wanted in (('overlays', self.options.overlays), ('heatmaps', self.options.heatmaps))
            if wanted
        }
        try:
            for frame, (picture, found) in enumerate(self._frames(reader, source)):
                self._frame(frame, picture, found, source, writers)
                if limit is not None and frame + 1 >= limit:
                    return
        except ValueError as error:  # boxes of another data set, a full disk
            self._fail(f'The video "{source.path}" ends at frame {reader.frames_read}: {error}')
            return
        finally:
            for writer in writers.values():
                writer.close()
        if reader.cut_short:
            self._fail(
                f'The video "{source.path}" is cut short: it promises {reader.frames_promised} frames and has '
                f'{reader.frames_read}, which are done.'
            )

    def _frames(self, reader: FrameReader, source: Source) -> Iterator[tuple[Picture, Poses]]:
        """The poses of each frame; batched over frames, or one by one where persons are followed."""
        frames = (Picture(frame, f'{source.name} frame {index}') for index, frame in enumerate(reader))
        if self.options.detect_every == 1 and source.kind == 'video':
            stream = ((picture, self.estimator.persons.find(picture), None) for picture in frames)
            for picture, poses, _ in self.estimator.stream(stream):
                yield picture, poses
            return
        following = Following(self.estimator.persons, self.options.detect_every)
        for picture in frames:
            _, poses, _ = next(self.estimator.stream([(picture, following.find(picture), None)]))
            following.follow(poses, picture.size_wh)
            yield picture, poses

    def _frame(
        self, frame: int, picture: Picture, found: Poses, source: Source, writers: dict[str, FrameWriter]
    ) -> None:
        poses = self._keep(found)
        self._rows += coco_results(poses, self._next_frame_id, self._category, file_name=source.name, frame=frame)
        self._next_frame_id += 1
        if 'heatmaps' in writers:
            writers['heatmaps'].write(draw_heatmaps(picture.image, poses))
        overlay = self._overlay(picture.image, poses)
        if 'overlays' in writers:
            writers['overlays'].write(overlay)
        self._show(overlay, wait=1)
        self.progress.advance()

    @property
    def _category(self) -> int:
        return getattr(self.estimator.persons, 'category_id', 1)

    def _keep(self, found: Poses) -> Poses:
        poses = without_duplicates(found, self.estimator.keypoint_set.sigmas, self.options.duplicate_threshold)
        self.summary.pictures += 1
        self.summary.persons += len(poses)
        return poses

    def _overlay(self, image: np.ndarray, poses: Poses) -> np.ndarray | None:
        if not (self.options.overlays or self.options.show):
            return None
        return draw_poses(
            image, poses, self.estimator.keypoint_set, self.options.keypoint_threshold, self.options.draw_boxes
        )

    def _show(self, overlay: np.ndarray | None, wait: int) -> None:
        if not self.options.show:
            return
        cv2.imshow('poses (q ends)', overlay)
        if cv2.waitKey(wait) & 0xFF == ord('q'):
            raise _Quit
