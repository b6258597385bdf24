"""Fills the tables between markers in the documentation, and writes the metafiles, from committed JSON files."""

import argparse
import sys
from pathlib import Path

from dyconv_pose.cli import run

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the folders of tools/ are imported by name

ROOT = Path(__file__).resolve().parents[2]


def written_files(root: Path = ROOT) -> dict[Path, str]:
    """The text of every file that this program writes, by its path from the project's folder.

    Raises:
        ValueError: A page names a table that does not exist.
    """
    from analysis_tools.pages import attention, deploy, family, moved, networks, operator, photographs
    from analysis_tools.pages.fill import fill
    from analysis_tools.pages.metafiles import metafiles
    from experiments import report

    tables = {name: table for module in (attention, deploy, family, moved, networks, operator, photographs, report)
              for name, table in module.TABLES.items()}  # fmt: skip
    pages = [*sorted(root.glob('*.md')), *sorted((root / 'docs').glob('*.md')), root / 'benchmarks/README.md']
    filled = {page.relative_to(root): fill(page.read_text(), tables, root) for page in pages}
    return filled | metafiles(root)


def main() -> int:
    """Writes or checks the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--check', action='store_true', help='write nothing; fail where a file is not up to date')
    check, status = parser.parse_args().check, 0
    for path, text in written_files().items():
        if (ROOT / path).is_file() and (ROOT / path).read_text() == text:
            continue
        print(f'{"Not up to date:" if check else "Wrote"} {path}')
        status = int(check)
        if not check:
            (ROOT / path).write_text(text)
    return status


if __name__ == '__main__':
    run(main)
