"""What training the paper's type B networks on COCO costs: memory counted, loading measured; for docs/coco_run.md."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from dyconv_pose.cli import run

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / 'tools'))  # its folders are imported by name

NETWORKS = ('mobilenetv2', 'mobilenetv2-x0.5', 'mobilenetv3-small')

#: Bytes for each parameter in float32 with Adam: itself, its gradient, and two moments.
BYTES_PER_PARAMETER = 16


def kept_bytes(forward: Callable[[], Tensor], network: nn.Module) -> int:
    """Bytes of the tensors that a forward pass keeps for the backward pass, each storage once, parameters left out.

    Args:
        forward: Runs the network and returns a loss.
        network: The network, whose parameters and buffers are there in any case.
    """
    own = {tensor.untyped_storage().data_ptr() for tensor in (*network.parameters(), *network.buffers())}
    storages = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = forward()  # holds the graph, and so every storage, until the bytes are added up
        total = sum(storages.values())
    del loss
    return total


def memory_of(config: Config, batch_sizes: tuple[int, int] = (2, 4)) -> dict[str, int]:
    """Counts the memory of training a config's network on a GPU, in float32, by running it on a CPU.

    Dynamic layers run as one convolution with B * G groups, which keeps what their forms on a GPU keep: a kernel for
    each person. On a CPU they would be mixed in tiles and keep none.

    Args:
        config: A pose config that states its codec.
        batch_sizes: Two sizes, from whose difference a person's share follows.

    Returns:
        ``parameters``, and in bytes ``state`` (weights, gradients, Adam's moments) and ``per_person`` (what each
        person of a batch adds).
    """
    from mmpose.testing import get_packed_inputs

    from dyconv_pose.apis import build_model

    model = build_model(config)
    model.train()
    width, height = config.codec['input_size']
    kept = []
    for size in batch_sizes:
        batch = get_packed_inputs(
            size, img_shape=(height, width), input_size=(width, height), heatmap_size=config.codec['heatmap_size']
        )
        data = model.data_preprocessor(batch, training=True)
        with patch('dyconv_pose.layers.forms.choose_form', lambda *_, **__: 'grouped'):
            kept.append(kept_bytes(lambda data=data: model.parse_losses(model(**data, mode='loss'))[0], model))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return {
        'parameters': parameters,
        'state': BYTES_PER_PARAMETER * parameters,
        'per_person': (kept[1] - kept[0]) // (batch_sizes[1] - batch_sizes[0]),
    }


def loading_seconds(config: Config, count: int = 200) -> float:
    """Median CPU seconds in which one process prepares one person for training: reads, crops, augments, draws targets.

    Args:
        config: A config whose training set is there.
        count: How many persons, spread over the set.
    """
    from mmpose.registry import DATASETS

    init_default_scope(config.get('default_scope', 'mmpose'))
    built = DATASETS.build(config.train_dataloader.dataset)
    times = []
    for place in range(count):
        start = time.process_time()
        built[place * len(built) // count]
        times.append(time.process_time() - start)
    return sorted(times)[len(times) // 2]


def main() -> None:
    """Counts, measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', default='benchmarks/results/training_cost.json')
    args = parser.parse_args()
    import dyconv_pose.registration  # noqa: F401, first, since it makes MMPose importable

    # isort: split
    from analysis_tools.environment import machine, versions
    from analysis_tools.pages.networks import COCO_FOLDER, TAIL

    from dyconv_pose.apis import load_config

    networks = {}
    for name in NETWORKS:
        for kind in ('', 'dy-'):
            config = load_config(COCO_FOLDER / f'td-hm_{kind}{name}-bneck{TAIL}.py')
            networks[Path(config.filename).stem] = memory_of(config)
    result = {
        'networks': networks,
        'loading_cpu_seconds': loading_seconds(config),
        'versions': versions(),
        'machine': machine(),
    }
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    Path(args.out).write_text(json.dumps(result, indent=1) + '\n')
    print(args.out)


if __name__ == '__main__':
    run(main)
