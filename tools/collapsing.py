"""Collapses the network that is to be exported: measured on training persons, scored before and after on val."""

import contextlib
import copy
import io
import json
import random
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from dyconv_pose.apis.config import build_model, load_config, use_ground_truth_boxes
from dyconv_pose.apis.estimator import unwrapped
from dyconv_pose.datasets.check import keypoint_names, parts_to_check
from dyconv_pose.deploy.collapse import MeanKernel, mean_kernels, to_static
from dyconv_pose.deploy.network import TorchNetwork
from dyconv_pose.files import read_json
from dyconv_pose.inference import HeatmapModel
from dyconv_pose.layers import dynamic_layers
from dyconv_pose.layers.convert import KINDS, kind_of

# isort: split

from mmengine.dataset import pseudo_collate
from mmengine.evaluator import Evaluator
from mmpose.registry import DATASETS
from torch import Tensor, nn

_BATCH = 8


def collapse(
    model: HeatmapModel,
    config_name: str,
    data: Sequence[str],
    persons: int,
    max_loss: float | None,
    kinds: Sequence[str] | None = None,
) -> HeatmapModel:
    """Puts mean kernels in place of dynamic layers, prints which and the AP on val, and returns the static model.

    Args:
        model: As :func:`dyconv_pose.apis.estimator.load_model` makes it, left as it is.
        config_name: Its config.
        data: COCO annotations of training persons and the folder of their images; empty for the config's training set.
        persons: How many of them are taken.
        max_loss: How much AP on them may be lost, from 0 to 1, by collapsing those layers whose kernels vary least;
            ``None`` collapses all.
        kinds: Which of :data:`~dyconv_pose.layers.convert.KINDS` may be collapsed; ``None`` for all.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: The network has no such layers, the data cannot be used, or no layer can be collapsed for that.
    """
    config = use_ground_truth_boxes(load_config(config_name))
    config.default_hooks.pop('further_validation', None)  # whose data is not read here
    metrics = [metric for part in parts_to_check(config, ('val',))[:1] for metric in part.coco_metrics()]
    if not metrics:
        raise ValueError('--collapse prints AP on val, and the config has no CocoMetric in its val_evaluator: add it.')
    with TemporaryDirectory() as folder:
        annotations = Path(folder) / 'persons.json'
        annotations.write_text(json.dumps(_sampled(_sources(config, data), persons)))
        plain = unwrapped(config).test_dataloader.dataset
        own = dict(ann_file=str(annotations), data_root='', data_prefix=dict(img=''), bbox_file='', test_mode=True)
        train = DATASETS.build({**plain, **own}), {**metrics[0], 'ann_file': str(annotations)}
        val = DATASETS.build(config.val_dataloader.dataset), config.val_evaluator
        estimator, network = build_model(config), model.network.module
        estimator.eval()
        means = mean_kernels(network, _inputs(estimator, train[0]))
        layers = dict(dynamic_layers(network))
        means = {name: mean for name, mean in means.items() if kind_of(layers[name]) in (kinds or KINDS)}
        if not means:
            raise ValueError(f'The network has no dynamic layers of the kinds {", ".join(kinds)}: leave --kinds out.')
        order = sorted(means, key=lambda name: means[name].variation)
        ends = [f'{means[name].variation:.2g} ({name})' for name in (order[0], order[-1])]
        print(f'kernels vary by {" to ".join(ends)} of their mean over {len(train[0])} training persons')
        chosen = order
        if max_loss is not None:

            def score(layers: Sequence[str]) -> float:
                ap = average_precision(estimator, to_static(network, means, layers=layers), *train)
                print(f'AP {ap:.4f} on these with {len(layers)} layers static', flush=True)
                return ap

            chosen = choose_layers(means, score, max_loss)
        static = to_static(network, means, layers=chosen)
        before, after = (average_precision(estimator, one, *val) for one in (network, static))
    print(f'{len(chosen)} of {len(layers)} dynamic layers are static now')
    print(f'AP on val at annotated boxes: {before:.4f} before, {after:.4f} after')
    return HeatmapModel(TorchNetwork(static), model.spec, model.keypoint_set)


def choose_layers(
    means: Mapping[str, MeanKernel], score: Callable[[Sequence[str]], float], max_loss: float
) -> Sequence[str]:
    """Chooses as many layers to collapse as a loss allows, those first whose kernels vary least.

    ``score`` gives the network's score, such as AP on training data, with the named layers collapsed; it may be
    ``max_loss`` lower than with none. A ValueError is raised where not even one layer can be collapsed for that.
    """
    order = sorted(means, key=lambda name: means[name].variation)
    whole = score([])

    def loss(number: int) -> float:
        return whole - score(order[:number])

    if loss(len(order)) <= max_loss:
        return order
    number = bisect_right(range(1, len(order)), max_loss, key=loss)  # as if each further layer cost some more
    if not number:
        raise ValueError(
            f'Collapsing may cost {max_loss:g}, and even that of {order[0]} alone, whose kernel varies least, costs '
            'more: allow more, or leave the network dynamic.'
        )
    return order[:number]


def average_precision(estimator: nn.Module, network: nn.Module, dataset: object, evaluator: dict | list) -> float:
    """AP of a :class:`~dyconv_pose.deploy.PoseNetwork` on a dataset, by the estimator that it was taken from."""
    for part in ('backbone', 'neck', 'head'):
        setattr(estimator, part, getattr(network, part))
    evaluator = Evaluator(copy.deepcopy(evaluator))
    evaluator.dataset_meta = dataset.metainfo
    for batch in _batches(dataset):
        evaluator.process(estimator.test_step(batch), batch)
    with contextlib.redirect_stdout(io.StringIO()):
        metrics = evaluator.evaluate(len(dataset))
    return next(value for name, value in metrics.items() if name.rpartition('/')[2] == 'AP')


def _batches(dataset: object) -> Iterator[dict]:
    for start in range(0, len(dataset), _BATCH):
        yield pseudo_collate([dataset[place] for place in range(start, min(start + _BATCH, len(dataset)))])


def _inputs(estimator: nn.Module, dataset: object) -> Iterator[Tensor]:
    for batch in _batches(dataset):
        yield estimator.data_preprocessor(batch)['inputs']


def _sources(config: object, data: Sequence[str]) -> list[tuple[Path, Path]]:
    """Files of training persons and folders of their images; the config's are those with the network's keypoints."""
    if data:
        return [(Path(data[0]), Path(data[1]))]
    names = keypoint_names(unwrapped(config).test_dataloader.dataset)
    found = [part.paths for part in parts_to_check(config, ('train',)) if keypoint_names(part.dataset) == names]
    if names is None or not found:
        raise ValueError(
            "The config has no training set in COCO's format with the keypoints of its test set: name annotations and "
            'the folder of their images after --collapse.'
        )
    return [(annotations, folders[0]) for annotations, folders, _ in found]


def _sampled(sources: Sequence[tuple[Path, Path]], count: int) -> dict:
    """Annotations of persons drawn from all files, in COCO's format; each has an image of its own."""
    persons = []
    for annotations, folder in sources:
        content = read_json(annotations, 'training annotations')
        try:
            images = {image['id']: image for image in content['images']}
            labelled = [one for one in content['annotations'] if any(one['keypoints'][2::3]) and not one.get('iscrowd')]
            persons += [(one, images[one['image_id']], folder) for one in labelled]
        except (KeyError, TypeError) as error:
            raise ValueError(
                f'The training annotations must be COCO keypoints, and "{annotations}" is not: {error!r}.'
            ) from error
    if not persons:
        raise ValueError(f'Mean kernels need persons with labelled keypoints, and "{sources[0][0]}" has none.')
    random.Random(0).shuffle(persons)
    result = dict(images=[], annotations=[], categories=[dict(id=1, name='person')])
    for number, (person, image, folder) in enumerate(persons[:count], start=1):
        path = Path(folder, image['file_name']).resolve()
        if not path.is_file():
            raise FileNotFoundError(f'The image of a training person must exist, got "{path}".')
        result['images'].append({**image, 'id': number, 'file_name': str(path)})
        area = person.get('area') or person['bbox'][2] * person['bbox'][3]
        more = dict(id=number, image_id=number, category_id=1, iscrowd=0, area=area)
        result['annotations'].append({**person, **more})
    return result
