"""Tables between markers in Markdown: ``<!-- begin: NAME ARGUMENTS -->`` and ``<!-- end: NAME -->``."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

#: Writes a table from the project's folder and the arguments in its marker.
Table = Callable[..., str]

_BLOCK = re.compile(r'(<!-- begin: (\S+)((?: \S+)*) -->\n).*?(<!-- end: \2 -->)', re.DOTALL)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence], left: int = 1) -> str:
    """A table whose columns after the first ``left`` ones are aligned to the right."""
    rule = ['---'] * left + ['---:'] * (len(header) - left)
    return '\n'.join('| ' + ' | '.join(map(str, cells)) + ' |' for cells in (header, rule, *rows)) + '\n'


def fill(text: str, tables: Mapping[str, Table], root: Path) -> str:
    """Writes every table of a page anew.

    Args:
        text: Markdown, in which a table stands between the lines of its markers.
        tables: What writes a table, by the name in its marker.
        root: The project's folder, which every table gets as its first argument.

    Raises:
        ValueError: A marker names no table, or has no end.
    """
    if len(_BLOCK.findall(text)) != text.count('<!-- begin: '):
        raise ValueError('Every "<!-- begin: NAME ... -->" must be followed by a line "<!-- end: NAME -->".')

    def write(block: re.Match) -> str:
        begin, name, arguments, end = block.groups()
        if name not in tables:
            raise ValueError(f'A table must be one of {", ".join(sorted(tables))}, got "{name}".')
        return begin + tables[name](root, *arguments.split()) + end

    return _BLOCK.sub(write, text)
