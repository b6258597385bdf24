"""Scores MoveNet itself, decoded its own way, on the persons that the networks for photographs are scored on.

    python benchmarks/movenet_itself.py MODELS/movenet-thunder.json --size 256 --out thunder.json

Each person is cut out as a square of 1.25 times the longer side of the box, as single-person models are used: of the
annotated boxes, or with ``--detected`` of those that the detector that ships finds. There is no flip test. A person's
score is the mean of the keypoint scores, times the box's.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tools'))

ROOT = 'StatefulPartitionedCall/'
BRANCHES = tuple(
    f'{ROOT}{name}/BiasAdd'
    for name in ('kpt_heatmap_0/conv2d_5', 'center_0/conv2d_4', 'kpt_regress_0/conv2d_6', 'kpt_offset_0/conv2d_7')
)
#: By how much, in cells, a keypoint's score falls with the distance from where the centre expects it.
SOFTNESS = 1.8


def load(path: str, size: int, threads: int) -> 'onnxruntime.InferenceSession':  # noqa: F821
    """A session that maps crops (1, 3, size, size), -1 to 1, red first, to the four branches (1, C, H, W)."""
    from model_converters.tfjs import read_graph
    from model_converters.tfjs_onnx import OnnxWriter

    from dyconv_pose.deploy.runtime import onnxruntime_session

    writer = OnnxWriter(read_graph(path))
    cells, channels = size // 4, (17, 1, 34, 34)
    names = [writer.copy(name, {ROOT + 'sub_1': 'image'}) for name in BRANCHES]
    outputs = {name: [1, count, cells, cells] for name, count in zip(names, channels, strict=True)}
    return onnxruntime_session(writer.model({'image': [1, 3, size, size]}, outputs).SerializeToString(), threads)


def decode(branches: 'list[np.ndarray]', weight: 'np.ndarray') -> 'np.ndarray':  # noqa: F821
    """The keypoints (17, 3) of a crop: x and y as shares of its side, and score.

    Args:
        branches: Heatmaps, centre, regression and offsets, (1, C, H, W) each.
        weight: By which the centre's heatmap is multiplied, (H, W).
    """
    import numpy as np

    heat, centre = (1 / (1 + np.exp(-branch[0].astype(np.float64))) for branch in branches[:2])
    regression, offset = (branch[0].reshape(17, 2, *weight.shape) for branch in branches[2:])  # y first
    row, column = np.unravel_index((centre[0] * weight).argmax(), weight.shape)
    expected = regression[:, :, row, column] + np.array([row, column])
    rows, columns = np.indices(weight.shape)
    distance = np.hypot(rows - expected[:, :1, None], columns - expected[:, 1:, None])  # (17, H, W)
    y, x = np.unravel_index((heat / (distance + SOFTNESS)).reshape(17, -1).argmax(axis=1), weight.shape)
    keypoint = np.arange(17)
    shift = offset[keypoint, :, y, x]
    found = np.stack([x + shift[:, 1], y + shift[:, 0], heat[keypoint, y, x] * len(weight)], axis=1)
    return found / len(weight)


def main() -> None:
    """Reads the command line, predicts, scores and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('model', help='the .json file of MoveNet Lightning or Thunder')
    parser.add_argument('--size', type=int, required=True, help='192 for Lightning, 256 for Thunder')
    parser.add_argument('--detected', action='store_true', help='boxes of the detector that ships: end_to_end')
    parser.add_argument('--data', type=Path, default=Path('data/photographs/real_people'))
    parser.add_argument('--out', type=Path, required=True, help='the JSON file to write, or to add to')
    args = parser.parse_args()
    import cv2
    import numpy as np
    from model_converters.tfjs import read_graph
    from results_evaluation import ResultsEvaluation

    from dyconv_pose.inference import Image, load_detector, read_image

    annotations = args.data / 'annotations/person_keypoints_val2017.json'
    truth = json.loads(annotations.read_text())
    names = {image['id']: image['file_name'] for image in truth['images']}
    folder = args.data / 'val2017'
    persons = [{**person, 'score': 1.0} for person in truth['annotations'] if person['num_keypoints']]
    if args.detected:
        persons, detector = [], load_detector()
        for image_id, name in names.items():
            boxes = detector.find(Image(read_image(folder / name), name))
            for (left, top, right, bottom), score in zip(boxes.xyxy.tolist(), boxes.scores.tolist(), strict=True):
                box = [left, top, right - left, bottom - top]
                persons.append({'image_id': image_id, 'bbox': box, 'score': score})
    session = load(args.model, args.size, threads=1)
    weight = read_graph(args.model).weight(f'ConstantFolding/{ROOT}truediv_2_recip').numpy()[..., 0]
    rows = []
    for person in persons:
        left, top, width, height = person['bbox']
        side = 1.25 * max(width, height)
        corner = np.array([left + width / 2 - side / 2, top + height / 2 - side / 2])
        scale = args.size / side
        matrix = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
        image = cv2.imread(str(folder / names[person['image_id']]))
        crop = cv2.warpAffine(image, matrix, (args.size, args.size))[..., ::-1].transpose(2, 0, 1)[None]
        branches = session.run(None, {'image': crop.astype(np.float32) / np.float32(127.5) - 1})
        keypoints = decode(branches, weight)
        keypoints[:, :2] = keypoints[:, :2] * side + corner
        row = {'image_id': person['image_id'], 'category_id': 1, 'keypoints': keypoints.ravel().tolist()}
        rows.append({**row, 'score': float(keypoints[:, 2].mean()) * person['score']})
    with tempfile.NamedTemporaryFile('w', suffix='.json') as file:
        json.dump(rows, file)
        file.flush()
        figures = ResultsEvaluation(annotations, file.name).figures
    name = Path(args.model).stem.removeprefix('movenet-').title()
    record = json.loads(args.out.read_text()) if args.out.is_file() else {'commands': []}
    command = f'python benchmarks/movenet_itself.py MODELS/{Path(args.model).name} --size {args.size}'
    command += f'{" --detected" * args.detected} --out {args.out}'
    record['commands'] = sorted({*record['commands'], command})
    if args.detected:
        record['end_to_end'] = figures['AP']
    else:
        record['title'] = f'MoveNet {name} itself, square crops of {args.size} pixels'
        record['metrics'] = {f'coco/{key}': value for key, value in figures.items()}
    args.out.write_text(json.dumps(record, indent=1) + '\n')
    print(f'{len(rows)} persons, AP {figures["AP"]:.4f}: {args.out}')


if __name__ == '__main__':
    main()
