"""Finds keypoints in images, folders, videos and camera streams."""

import argparse
from importlib.util import find_spec
from types import SimpleNamespace
from typing import TYPE_CHECKING

from dyconv_pose.cli import run

if TYPE_CHECKING:  # what is heavy is imported after the arguments are parsed
    from dyconv_pose.inference.predictor import Detector, PoseEstimator


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        usage='%(prog)s [options] --out-dir FOLDER CONFIG CHECKPOINT INPUT...\n'
        '       %(prog)s [options] --out-dir FOLDER MODEL.onnx INPUT...',
    )
    parser.add_argument(
        'network',
        nargs='+',
        metavar='CONFIG CHECKPOINT INPUT',
        help='a config file and a checkpoint, or a file of tools/export.py; then images, folders, patterns '
        '("*.jpg"), videos, webcam or webcam:1',
    )
    parser.add_argument('--out-dir', required=True, help='where results.json and the overlays go')
    parser.add_argument(
        '--boxes',
        default='hog',
        metavar='SOURCE',
        help='where the persons are: a COCO annotation or detection file (.json), "image" (each image is one person), '
        '"hog" (OpenCV\'s detector, the default, and the whole image where it finds nobody), a YOLOX or RTMDet model '
        '(.onnx), or "mmdet:CONFIG:CHECKPOINT" where MMDetection is installed',
    )
    parser.add_argument('--whole-image', action='store_true', help='the same as --boxes image')
    parser.add_argument('--ann-file', help='for COCO detections: annotations that give the file names of image ids')
    parser.add_argument('--box-thr', type=float, help='detected boxes that score less are left out')
    parser.add_argument(
        '--detect-every', type=int, default=1, metavar='N', help='on videos, detect on every N-th frame'
    )
    parser.add_argument('--max-frames', type=int, help='end a video or camera after so many frames')
    parser.add_argument('--kpt-thr', type=float, default=0.3, help='keypoints that score less are not drawn')
    parser.add_argument('--nms-thr', type=float, default=0.9, help='similarity above which two persons are one')
    parser.add_argument('--no-overlays', action='store_true', help='write results.json alone')
    parser.add_argument('--draw-boxes', action='store_true', help='draw the boxes too')
    parser.add_argument('--heatmaps', action='store_true', help='write images of the heatmaps')
    parser.add_argument('--show', action='store_true', help='show the overlays in a window; q ends')
    parser.add_argument('--batch-size', type=int, default=16, help='persons that go through the network at once')
    parser.add_argument(
        '--flip-test', action=argparse.BooleanOptionalAction, help='override the flip test of the config'
    )
    parser.add_argument('--device', default='cpu', help='such as cuda:0')
    parser.add_argument(
        '--trust-checkpoint', action='store_true', help='unpickle the checkpoint in full, which can run code in it'
    )
    parser.add_argument(
        '--backend', choices=['onnxruntime', 'openvino'], default='onnxruntime', help='what runs an exported file'
    )
    args = parser.parse_args()
    args.is_exported = args.network[0].lower().endswith('.onnx')
    count = 1 if args.is_exported else 2
    args.network, args.inputs = args.network[:count], args.network[count:]
    if not args.inputs:
        parser.error('the following arguments are required: INPUT')
    return args


def load_detector(args: argparse.Namespace) -> 'Detector':
    """Loads the detector that the arguments name."""
    from dyconv_pose.inference import detectors

    name = 'image' if args.whole_image else args.boxes
    if not name.startswith('mmdet:'):
        return detectors.load_detector(name, args.ann_file, args.box_thr)
    from dyconv_pose.apis.mmdet_detector import MMDetDetector

    limit = {} if args.box_thr is None else {'threshold': args.box_thr}
    return detectors.Fallback(MMDetDetector.load(name, device=args.device, trust=args.trust_checkpoint, **limit))


def load_estimator(args: argparse.Namespace) -> 'PoseEstimator':
    """Loads network and detector; torch and MMPose are imported only for a checkpoint."""
    detector = load_detector(args)
    options = dict(batch_size=args.batch_size, flip_test=args.flip_test, detector=detector, keep_heatmaps=args.heatmaps)
    if args.is_exported:
        from dyconv_pose.deploy.runtime import load_exported

        return load_exported(*args.network, backend=args.backend, **options)
    if find_spec('torch') is None or find_spec('mmpose') is None:
        raise ImportError(
            'A config and a checkpoint need PyTorch and MMPose, which are not installed: export the network where they '
            'are ("python tools/export.py CONFIG CHECKPOINT --out model.onnx") and give that file.'
        )
    from dyconv_pose.apis import estimator
    from dyconv_pose.engine.speed import keep_freed_memory

    if args.device == 'cpu':
        keep_freed_memory()
    return estimator.load_estimator(*args.network, device=args.device, trust=args.trust_checkpoint, **options)


def main() -> int:
    """Loads the network, works through the inputs and says what was done."""
    args = parse_args()
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    from dyconv_pose.inference.run import Run, RunOptions

    options = RunOptions(
        overlays=not args.no_overlays,
        heatmaps=args.heatmaps,
        draw_boxes=args.draw_boxes,
        show=args.show,
        keypoint_threshold=args.kpt_thr,
        duplicate_threshold=args.nms_thr,
        detect_every=args.detect_every,
        max_frames=args.max_frames,
    )
    estimator = load_estimator(args)
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=Console(stderr=True)) as bar:
        reporter = SimpleNamespace(
            start=lambda what, total: bar.add_task(what.replace('[', r'\['), total=total),
            advance=lambda: bar.advance(bar.task_ids[-1]),
            fail=lambda message: bar.console.print(
                f'skipped: {message}', markup=False, highlight=False, soft_wrap=True
            ),
        )
        done = Run(estimator, args.out_dir, options, reporter)
        results = done(args.inputs)
    print(f'{done.images} images, {done.persons} persons, written to {args.out_dir}, {results}')
    if fell_back := getattr(estimator.detector, 'fell_back', 0):
        print(f'in {fell_back} images no person was detected: they were taken whole (see --boxes)')
    if done.left_out:
        names = ', '.join(done.left_out[:5]) + (', ...' if len(done.left_out) > 5 else '')
        print(f'{len(done.left_out)} files were left out, which are neither images nor videos: {names}')
    if done.failures:
        print(f'{len(done.failures)} inputs could not be used, or not whole: they are named above')
    return 1 if done.failures else 0


if __name__ == '__main__':
    run(main)
