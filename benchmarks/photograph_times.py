"""Times the networks that ship beside MoveNet itself, in ONNX Runtime: one person, and a photograph with the detector.

    python benchmarks/photograph_times.py --movenet MODELS --out benchmarks/results/photograph_times.json

A person is a crop through the network; the flip test runs ours twice, and is on by default. A photograph is
``PoseEstimator.predict`` on a committed photograph of one person: detector, crop, network and decoding. For MoveNet the
same detector and its square crop. All take turns in one process.
"""

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import movenet_itself
import numpy as np
from interleaved import environment, measure, summary, write

from dyconv_pose.cli import run
from dyconv_pose.deploy.runtime import load_exported, onnxruntime_session
from dyconv_pose.inference import Image, read_image
from dyconv_pose.inference.detectors import OnnxDetector
from dyconv_pose.resources import DETECTOR, NETWORKS, find_weights

PHOTOGRAPH = Path(__file__).resolve().parents[1] / 'demo/photographs/000000234748.jpg'
MOVENET = {'lightning': 192, 'thunder': 256}


def detector_on(threads: int) -> OnnxDetector:
    """The detector that ships, on so many threads."""
    session = onnxruntime_session(str(find_weights(DETECTOR)), threads)
    first = session.get_inputs()[0]
    return OnnxDetector(lambda batch: session.run(None, {first.name: batch}), tuple(first.shape[:1:-1]), DETECTOR)


def ours(threads: int, detector: OnnxDetector, image: np.ndarray) -> Iterator[tuple[str, Callable, Callable]]:
    """Name, what one person takes, and what the photograph takes, of each network that ships."""
    for name, file in NETWORKS.items():
        for flip_test, label in ((True, name), (False, f'{name}, no flip test')):
            estimator = load_exported(
                find_weights(file), 'onnxruntime', threads, flip_test=flip_test, detector=detector
            )
            samples, _ = estimator.model.prepare(image, np.array([[0, 0, *image.shape[1::-1]]]))
            yield label, partial(estimator.model.estimate, samples), partial(estimator.predict, image, None, 'bgr')


def movenets(
    folder: Path, threads: int, detector: OnnxDetector, image: np.ndarray
) -> Iterator[tuple[str, Callable, Callable]]:
    """The same of MoveNet Lightning and Thunder."""
    for name, size in MOVENET.items():
        session = movenet_itself.load(str(folder / f'movenet-{name}.json'), size, threads)
        crop, weight = np.zeros((1, 3, size, size), np.float32), np.ones((size // 4, size // 4))

        def person(session: object = session, crop: np.ndarray = crop, weight: np.ndarray = weight) -> None:
            movenet_itself.decode(session.run(None, {'image': crop}), weight)

        def photograph(person: Callable = person) -> None:
            for _ in range(len(detector.find(Image(image)))):
                person()

        yield f'movenet-{name}', person, photograph


def main() -> None:
    """Measures, prints and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--movenet', type=Path, help='the folder of movenet-lightning.json and movenet-thunder.json')
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--threads', type=int, nargs='+', default=[1, 2])
    parser.add_argument('--out', metavar='FILE.json')
    args = parser.parse_args()
    image, results = read_image(PHOTOGRAPH), {}
    for threads in args.threads:
        detector = detector_on(threads)
        networks = [*ours(threads, detector, image)]
        networks += movenets(args.movenet, threads, detector, image) if args.movenet else []
        for what, place in (('person', 1), ('photograph', 2)):
            times = measure({network[0]: network[place] for network in networks}, args.rounds, in_a_row=3)
            results[f'{what}, {threads} threads'] = {name: summary(values) for name, values in times.items()}
    for what, figures in results.items():
        print(what, ', '.join(f'{name} {figure["median_ms"]:.0f} ms' for name, figure in figures.items()))
    if args.out:
        write({**environment('onnxruntime'), 'rounds': args.rounds, 'results': results}, args.out)


if __name__ == '__main__':
    run(main)
