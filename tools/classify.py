"""Names the likeliest classes of pictures."""

import argparse

from dyconv_pose.apis import load_config
from dyconv_pose.cli import run


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('images', nargs='+', metavar='IMAGE', help='picture files')
    parser.add_argument('--topk', type=int, default=5, help='how many classes to name')
    parser.add_argument(
        '--trust-checkpoint', action='store_true', help='unpickle the checkpoint in full, which can run code in it'
    )
    return parser.parse_args()


def main() -> None:
    """Prints a line for each class."""
    args = parse_args()
    config = load_config(args.config)
    from dyconv_pose.classification import classify  # an extra: the config says what is missing without it

    for image in args.images:
        print(image)
        for name, score in classify(config, args.checkpoint, image, args.topk, args.trust_checkpoint):
            print(f'  {score:6.1%}  {name}')


if __name__ == '__main__':
    run(main)
