"""Parts of the generated pages."""

from collections.abc import Iterable, Sequence
from pathlib import Path


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], left: int = 2) -> str:
    """A table whose columns after the first ``left`` ones are aligned to the right."""
    rule = ['---'] * left + ['---:'] * (len(header) - left)
    return '\n'.join('| ' + ' | '.join(cells) + ' |' for cells in (header, rule, *rows)) + '\n'


def comment_of(config: Path) -> str:
    """The comment with which a config begins, as one sentence."""
    lines = []
    for line in config.read_text().splitlines():
        if not line.startswith('#'):
            break
        lines.append(line.removeprefix('#').strip())
    return ' '.join(lines)
