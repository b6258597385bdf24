"""Finds keypoints in pictures, folders, videos and camera streams."""

import argparse
from importlib.util import find_spec

from dyconv_pose.cli import run
from dyconv_pose.deploy.runtime import BACKENDS, load_exported
from dyconv_pose.inference import PersonSource, PoseEstimator
from dyconv_pose.inference.choose import PERSON_SOURCES, choose_persons, fell_back
from dyconv_pose.inference.progress import RichProgress
from dyconv_pose.inference.run_options import RunOptions
from dyconv_pose.inference.running import Run


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
        help='a config file and a checkpoint, or a file of tools/export.py; then pictures, folders, patterns '
        '("*.jpg"), videos, webcam or webcam:1',
    )
    parser.add_argument('--out-dir', required=True, help='where results.json and the overlays go')
    parser.add_argument('--boxes', default='hog', metavar='SOURCE', help=f'where the persons are: {PERSON_SOURCES}')
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
    parser.add_argument('--heatmaps', action='store_true', help='write pictures of the heatmaps')
    parser.add_argument('--show', action='store_true', help='show the overlays in a window; q ends')
    parser.add_argument('--batch-size', type=int, default=16, help='persons that go through the network at once')
    parser.add_argument(
        '--flip-test', action=argparse.BooleanOptionalAction, help='override the flip test of the config'
    )
    parser.add_argument('--device', default='cpu', help='such as cuda:0')
    parser.add_argument(
        '--trust-checkpoint', action='store_true', help='unpickle the checkpoint in full, which can run code in it'
    )
    parser.add_argument('--backend', choices=BACKENDS, default=BACKENDS[0], help='what runs an exported file')
    args = parser.parse_args()
    args.is_exported = args.network[0].lower().endswith('.onnx')
    count = 1 if args.is_exported else 2
    args.network, args.inputs = args.network[:count], args.network[count:]
    if not args.inputs:
        parser.error('the following arguments are required: INPUT')
    return args


def load(args: argparse.Namespace, persons: PersonSource) -> PoseEstimator:
    """Loads the network; torch and MMPose are imported only for a checkpoint."""
    options = dict(batch_size=args.batch_size, flip_test=args.flip_test, persons=persons, keep_heatmaps=args.heatmaps)
    if args.is_exported:
        return load_exported(*args.network, backend=args.backend, **options)
    if find_spec('torch') is None or find_spec('mmpose') is None:
        raise ImportError(
            'A config and a checkpoint need PyTorch and MMPose, which are not installed: export the network where they '
            'are ("python tools/export.py CONFIG CHECKPOINT --out model.onnx") and give that file.'
        )
    from dyconv_pose.apis.estimator import load_estimator
    from dyconv_pose.engine.keep_memory import keep_freed_memory

    if args.device == 'cpu':
        keep_freed_memory()
    return load_estimator(*args.network, device=args.device, trust=args.trust_checkpoint, **options)


def main() -> int:
    """Loads the network, works through the inputs and says what was done."""
    args = parse_args()
    source = 'image' if args.whole_image else args.boxes
    persons = choose_persons(source, args.ann_file, args.box_thr, args.device, args.trust_checkpoint)
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
    estimator = load(args, persons)
    with RichProgress() as progress:
        summary = Run(estimator, args.out_dir, options, progress)(args.inputs)
    print(f'{summary.pictures} pictures, {summary.persons} persons, written to {args.out_dir}, {summary.results}')
    if fell_back(persons):
        print(f'in {fell_back(persons)} pictures no person was detected: they were taken whole (see --boxes)')
    if summary.failures:
        print(f'{len(summary.failures)} inputs could not be used, or not whole: they are named above')
    return 1 if summary.failures else 0


if __name__ == '__main__':
    run(main)
