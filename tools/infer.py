"""Finds keypoints in images, folders, videos and camera streams, by a network that ships or by your own."""

import argparse
import glob
from pathlib import Path
from types import SimpleNamespace

from dyconv_pose.cli import run
from dyconv_pose.resources import DEFAULT_NETWORK, NETWORKS, find_config


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        usage='%(prog)s [options] INPUT...\n'
        '       %(prog)s [options] MODEL.onnx INPUT...\n'
        '       %(prog)s [options] CONFIG CHECKPOINT INPUT...',
    )
    parser.add_argument(
        'inputs',
        nargs='+',
        metavar='INPUT',
        help='images, folders, patterns ("*.jpg"), videos, webcam or webcam:1; before them, for a network of your own, '
        'a file of tools/export.py, or a config and a checkpoint',
    )
    parser.add_argument('--model', choices=NETWORKS, help=f'which network that ships (default: {DEFAULT_NETWORK})')
    parser.add_argument(
        '--out-dir', default='outputs/poses', help='where results.json and the overlays go (default: %(default)s)'
    )
    parser.add_argument(
        '--boxes',
        default='multipose',
        metavar='SOURCE',
        help='where the persons are: "multipose" (MoveNet MultiPose, which ships, the default), "image" (each image is '
        'one person), a COCO annotation or detection file (.json), a YOLOX or RTMDet model (.onnx), or '
        '"mmdet:CONFIG:CHECKPOINT" where MMDetection is installed',
    )
    parser.add_argument(
        '--whole-image', action='store_const', const='image', dest='boxes', help='the same as --boxes image'
    )
    parser.add_argument('--ann-file', help='for COCO detections: annotations that give the file names of image ids')
    parser.add_argument('--box-thr', type=score, help='detected boxes that score less are left out')
    parser.add_argument(
        '--person-thr',
        type=score,
        default=0.5,
        help='a detected person is drawn if the better half of the keypoints scores at least this on average '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--detect-every', type=int, default=1, metavar='N', help='on videos, detect on every N-th frame'
    )
    parser.add_argument('--max-frames', type=count, help='end a video or camera after so many frames')
    parser.add_argument('--kpt-thr', type=score, default=0.3, help='keypoints that score less are not drawn')
    parser.add_argument('--nms-thr', type=score, default=0.9, help='similarity above which two persons are one')
    parser.add_argument('--no-overlays', action='store_true', help='write results.json alone')
    parser.add_argument('--draw-boxes', action='store_true', help='draw the boxes too')
    parser.add_argument('--heatmaps', action='store_true', help='write images of the heatmaps')
    parser.add_argument('--show', action='store_true', help='show the overlays in a window; q ends')
    parser.add_argument('--batch-size', type=int, default=16, help='persons that go through the network at once')
    parser.add_argument(
        '--flip-test', action=argparse.BooleanOptionalAction, help='override the flip test of the config'
    )
    parser.add_argument('--device', default='cpu', help='of a checkpoint, such as cuda:0')
    parser.add_argument(
        '--trust-checkpoint', action='store_true', help='unpickle the checkpoint in full, which can run code in it'
    )
    parser.add_argument(
        '--backend', choices=['onnxruntime', 'openvino'], default='onnxruntime', help='what runs an exported file'
    )
    args = parser.parse_intermixed_args()  # options may stand between inputs
    first, files = args.inputs[0], 1 if args.inputs[0].lower().endswith('.onnx') else 2 * is_config(args.inputs[0])
    args.network, args.inputs = args.inputs[:files] or [args.model], args.inputs[files:]
    if not args.inputs:
        parser.error(f'after {first} come {"its checkpoint and " * (files == 2)}the inputs: see the usage')
    for text in args.inputs:
        if Path(text).suffix in ('.py', '.pth', '.pt', '.onnx'):
            parser.error(f'{text} is no input: a network comes before all inputs, as MODEL.onnx or CONFIG CHECKPOINT')
    if not files and not is_input(first):
        parser.error(f'{first} is neither an input that exists nor a config')
    if files and args.model:
        parser.error(f'--model names a network that ships, and {first} is another: leave one of them out')
    if args.ann_file and not args.boxes.lower().endswith('.json'):
        parser.error('--ann-file belongs to COCO detections: name them by --boxes')
    if args.box_thr is not None and args.boxes == 'image':
        parser.error('--box-thr is for detected boxes, and here each image is one person: leave it out')
    return args


def score(text: str) -> float:
    """A threshold of the command line."""
    if not 0 <= float(text) <= 1:
        raise argparse.ArgumentTypeError(f'must be between 0 and 1, got {text}')
    return float(text)


def count(text: str) -> int:
    """A number of things of the command line."""
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f'must be at least 1, got {text}')
    return int(text)


def is_input(text: str) -> bool:
    """Whether there is such an input, or its name is that of a file, which may be missing."""
    is_pattern, is_camera = glob.has_magic(text), text.partition(':')[0] == 'webcam'
    return is_pattern or is_camera or Path(text).exists() or 1 < len(Path(text).suffix) <= 5


def is_config(text: str) -> bool:
    """Whether an argument is a config: by its ending, or as the name of one that comes with the project."""
    if text.lower().endswith('.py') or Path(text).exists():
        return text.lower().endswith('.py')
    try:
        return find_config(text).stem == text
    except FileNotFoundError:
        return False


def main() -> int:
    """Loads the network, works through the inputs and says what was done."""
    args = parse_args()
    from inference_run import Run, RunOptions
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    from dyconv_pose.inference import load_detector, load_estimator

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
    if args.boxes.lower().endswith('.json'):
        from inference_boxes import CocoBoxes

        detector = CocoBoxes(args.boxes, args.ann_file, args.box_thr or 0.0)
    else:
        detector = load_detector(args.boxes, args.box_thr, args.device, args.trust_checkpoint)
    estimator = load_estimator(
        *args.network,
        device=args.device if len(args.network) == 2 or not args.boxes.startswith('mmdet:') else 'cpu',
        batch_size=args.batch_size,
        flip_test=args.flip_test,
        detector=detector,
        keep_heatmaps=args.heatmaps,
        trust=args.trust_checkpoint,
        backend=args.backend,
    )
    estimator.person_threshold = args.person_thr
    if len(args.network) == 2 and args.device == 'cpu':
        from dyconv_pose.engine.speed import keep_freed_memory

        keep_freed_memory()
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
    found = (done.images, 'image'), (done.persons.total(), 'person')
    counts = [f'{count} {word}{"s" * (count != 1)}' for count, word in found]
    doubtful = f' (and {done.doubtful} too uncertain to draw)' if done.doubtful else ''
    replaced = ' (results.json and overlays of an earlier run are replaced)' if done.has_replaced else ''
    overlays = f', overlays in {done.folder / "overlays"}' if done.images and not args.no_overlays else ''
    print(f'{", ".join(counts)}{doubtful}: {results}{overlays}{replaced}')
    if empty := [name for name, persons in done.persons.items() if not persons]:
        print(f'no person was found in {listed(empty)} (see --person-thr, --box-thr)')
    if done.left_out:
        print(f'{len(done.left_out)} files were left out, which are neither images nor videos: {listed(done.left_out)}')
    if done.failures:
        inputs = f'{len(done.failures)} input{"s" * (len(done.failures) > 1)}'
        print(f'{inputs} could not be used, or not whole: named above')
    return 1 if done.failures else 0


def listed(names: list[str]) -> str:
    """The first few names."""
    return ', '.join(names[:5]) + (f' and {len(names) - 5} more' if len(names) > 5 else '')


if __name__ == '__main__':
    run(main)
