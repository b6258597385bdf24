"""Writes the generated pages of the documentation: their text from the configs, their numbers by counting."""

import argparse
from pathlib import Path

from dyconv_pose.analysis.pages import PAGES
from dyconv_pose.cli import run

ROOT = Path(__file__).resolve().parents[1]


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--check', action='store_true', help='write nothing; fail where a page is not up to date')
    return parser.parse_args()


def main() -> None:
    """Writes or checks the pages."""
    check = parse_args().check
    for name, write in PAGES.items():
        path, text = ROOT / name, write(ROOT)
        if check:
            if not path.is_file() or path.read_text() != text:
                raise ValueError(f'The page {name} must say what the configs do and does not: run tools/make_docs.py.')
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            print(f'Wrote {name}')


if __name__ == '__main__':
    run(main)
