"""Names the likeliest classes of images."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from dyconv_pose.cli import run


def classify(
    config: 'Config',  # noqa: F821  MMEngine's
    checkpoint: str | Path,
    images: Sequence[str | Path],
    topk: int = 5,
    trust: bool = False,
) -> list[list[tuple[str, float]]]:
    """Classifies images.

    Args:
        config: The config of the classifier.
        checkpoint: Its weights, written by a training, with the names of the classes.
        images: The files.
        topk: How many classes to return at most.
        trust: Whether the checkpoint may run code while it is read.

    Returns:
        For each image, names and probabilities of the likeliest classes, best first.

    Raises:
        FileNotFoundError: An image or the checkpoint does not exist.
        ValueError: The checkpoint does not fit the config.
    """
    import torch
    from mmengine.dataset import Compose, pseudo_collate
    from mmpretrain.registry import TRANSFORMS

    from dyconv_pose.apis import build_model, load_weights

    for image in images:
        if not Path(image).is_file():
            raise FileNotFoundError(f'The image must be an existing file, got "{image}".')
    model = build_model(config).eval()
    meta = load_weights(model, checkpoint, trust).get('meta', {})
    classes = meta.get('dataset_meta', {}).get('classes')
    with TRANSFORMS.switch_scope_and_registry('mmpretrain'):
        pipeline = Compose(config.test_dataloader.dataset.pipeline)
    rankings = []
    for image in images:
        with torch.no_grad():
            (result,) = model.test_step(pseudo_collate([pipeline(dict(img_path=str(image)))]))
        scores, labels = result.pred_score.topk(min(topk, len(result.pred_score)))
        names = [classes[label] if classes else str(label) for label in labels.tolist()]
        rankings.append(list(zip(names, scores.tolist(), strict=True)))
    return rankings


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('images', nargs='+', metavar='IMAGE', help='image files')
    parser.add_argument('--topk', type=int, default=5, help='how many classes to name')
    parser.add_argument(
        '--trust-checkpoint', action='store_true', help='unpickle the checkpoint in full, which can run code in it'
    )
    return parser.parse_args()


def main() -> None:
    """Prints a line for each class."""
    args = parse_args()
    from dyconv_pose.apis import load_config

    config = load_config(args.config)  # says what is missing without MMPretrain
    rankings = classify(config, args.checkpoint, args.images, args.topk, args.trust_checkpoint)
    for image, ranking in zip(args.images, rankings, strict=True):
        print(image)
        for name, score in ranking:
            print(f'  {score:6.1%}  {name}')


if __name__ == '__main__':
    run(main)
