"""Writes the weights of a training checkpoint to a small file for others."""

import argparse

from dyconv_pose.cli import run


def main() -> None:
    """Reads the command line, writes and says where."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', help='checkpoint of a training run')
    parser.add_argument('out', help='the file to write')
    parser.add_argument('--half', action='store_true', help='store the weights in float16')
    parser.add_argument(
        '--trust-checkpoint', action='store_true', help='unpickle the checkpoint in full, which can run code in it'
    )
    args = parser.parse_args()
    from dyconv_pose.apis.publish import publish

    out = publish(args.checkpoint, args.out, half=args.half, trust=args.trust_checkpoint)
    print(f'{out} ({out.stat().st_size / 1e6:.1f} MB)')


if __name__ == '__main__':
    run(main)
