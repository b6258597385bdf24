"""Counts every network of the repository into the JSON file from which tables and metafiles are written."""

import argparse
import json
import sys
from pathlib import Path

from dyconv_pose.cli import run

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the folders of tools/ are imported by name

ROOT = Path(__file__).resolve().parents[2]


def count_networks(root: Path = ROOT) -> dict[str, dict[str, dict]]:
    """Counts the networks of the keypoint configs, of the ImageNet configs, and of the experiments.

    Args:
        root: The project's folder.

    Returns:
        ``'keypoints'`` and ``'imagenet'`` by the config's path, ``'experiments'`` by experiment and network, and
        ``'family'`` by width and operator: the parts of the architecture by name, whether it is dynamic, parameters
        and multiply-adds of the whole and its parts.
    """
    import dyconv_pose.registration  # noqa: F401, first, since it makes MMPose importable

    # isort: split
    from analysis_tools.costs.authors import AUTHORS
    from analysis_tools.costs.comparison import CONV_CFG, count_imagenet
    from analysis_tools.costs.estimators import count_config, read_config
    from analysis_tools.costs.paper import IMAGENET
    from analysis_tools.pages.networks import IMAGENET_FOLDER, POSE_FOLDERS
    from experiments.description import load_experiment

    keypoints, imagenet, experiments = {}, {}, {}
    for path in (path for folder in POSE_FOLDERS for path in sorted((root / folder).glob('*.py'))):
        config = read_config(path)
        backbone, head = config.model.backbone, config.model.head
        names = [part.type.removeprefix('Dy') for part in (backbone.get('network', backbone), head)]
        keypoints[path.relative_to(root).as_posix()] = _totals(count_config(config), names)
    for row in IMAGENET:
        for prefix, conv_cfg in (('', None), ('dy-', CONV_CFG)):
            name = (IMAGENET_FOLDER / f'{prefix}{row.config}.py').as_posix()
            imagenet[name] = _totals(count_imagenet(row, conv_cfg), [row.backbone['type'].removeprefix('Dy')])
    for path in sorted((root / 'configs/experiments').glob('*.py')):
        experiment = load_experiment(path)
        first = {run.network: run for run in reversed(experiment.runs)}
        experiments[experiment.name] = {
            name: _totals(count_config(first[name].config(root))) for name in experiment.networks
        }
    family = {f'{row.width} {row.operator}': _totals(count_imagenet(row.network(), row.conv_cfg)) for row in AUTHORS}
    return dict(keypoints=keypoints, imagenet=imagenet, experiments=experiments, family=family)


def _totals(cost: object, architecture: list[str] | None = None) -> dict:
    from dyconv_pose import layers

    named = {} if architecture is None else dict(architecture=architecture)
    kinds = [kind for kind in vars(layers).values() if isinstance(kind, type)]
    kinds = {kind.__name__ for kind in kinds if issubclass(kind, layers.DynamicConv2d)}
    named['dynamic'] = any(layer.type in kinds for layer in cost.layers)
    parts = {name: cost.part(name) for name in ('backbone', 'head')}
    parts = {name: dict(params=part.params, madds=part.madds) for name, part in parts.items() if part.layers}
    return dict(**named, params=cost.params, madds=cost.madds, **parts)


def main() -> None:
    """Counts, writes and says where."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=ROOT / 'benchmarks/results/complexity.json')
    args = parser.parse_args()
    args.out.write_text(json.dumps(count_networks(), indent=1) + '\n')
    print(args.out)


if __name__ == '__main__':
    run(main)
