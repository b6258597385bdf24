"""The tools from any folder: ``python -m dyconv_pose train CONFIG`` is ``python tools/train.py CONFIG``."""

import sys
from importlib import import_module

from .cli import run
from .resources import folder

COMMANDS = {
    'train': 'train a network from a config',
    'test': 'evaluate a checkpoint',
    'infer': 'find keypoints in images, folders, videos and camera streams',
    'export': 'write a network to an ONNX file',
    'eval_results': 'score a results file',
}


def main() -> None:
    """Runs the tool that the first argument names."""
    name = sys.argv[1] if len(sys.argv) > 1 else '--help'
    if name not in COMMANDS:
        lines = [f'  {command:13} {what}' for command, what in COMMANDS.items()]
        print('usage: python -m dyconv_pose COMMAND ...', '', 'commands (each has --help):', *lines, sep='\n')
        sys.exit(0 if name in ('-h', '--help') else 2)
    sys.argv = [f'dyconv_pose {name}', *sys.argv[2:]]
    sys.path.insert(0, str(folder('tools')))  # as Python does for a script, whose helpers lie beside it
    run(import_module(name).main)


if __name__ == '__main__':
    main()
