"""Tables on the attention of trained networks, from the records in ``results/attention``."""

import json
from pathlib import Path

from analysis_tools.attention.seeds import group_table, overview

from .fill import markdown_table

_FOLDER = 'results/attention'


def attention_overview(root: Path, *names: str) -> str:
    """The main figures, a column for each set of networks.

    Args:
        root: The project's folder.
        *names: Records in ``results/attention``: a JSON file without its ending, or a folder with one for each seed.
    """
    columns = {name: dict(overview(_records(root, name))) for name in names}
    figures = dict.fromkeys(figure for column in columns.values() for figure in column)
    rows = [[figure, *(column.get(figure, '-') for column in columns.values())] for figure in figures]
    return markdown_table(['', *(f'`{name}`' for name in names)], rows)


def attention_groups(root: Path, name: str) -> str:
    """Changes of the score where the attention of a group of layers is replaced, for one set of networks."""
    return group_table(_records(root, name))


def _records(root: Path, name: str) -> list[dict]:
    file, folder = root / _FOLDER / f'{name}.json', root / _FOLDER / name
    return [json.loads(path.read_text()) for path in ([file] if file.is_file() else sorted(folder.glob('*.json')))]


TABLES = {function.__name__: function for function in (attention_overview, attention_groups)}
