"""The report of a data check, for a terminal and for a file."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .findings import ERROR, Finding

_COLOURS = {ERROR: 'bold red', 'warning': 'yellow'}


def print_report(findings: Sequence[Finding], console: Console | None = None) -> None:
    """Prints a table of findings for every file, and what follows from them."""
    console = console or Console()
    files = dict.fromkeys((found.split, found.file) for found in findings)
    for split, file in files:
        columns = ('severity', 'rule', 'count', 'what', 'first examples')
        table = Table(*columns, title=f'{split}: {escape(file)}', title_justify='left')
        for found in findings:
            if (found.split, found.file) == (split, file):
                examples = '\n'.join(f'{found.unit} {example}' for example in found.examples)
                severity = f'[{_COLOURS[found.severity]}]{found.severity}[/]'
                table.add_row(severity, found.rule, f'{found.count:,}', escape(found.message), escape(examples))
        console.print(table)
    console.print(summary(findings))


def summary(findings: Sequence[Finding]) -> str:
    """One sentence on all findings."""
    if not findings:
        return 'The data keep every rule.'
    errors = sum(found.severity == ERROR for found in findings)
    if errors:
        return f'{errors} kinds of error, which stop a training, and {len(findings) - errors} kinds of warning.'
    return f'No errors; {len(findings)} kinds of warning, which do not stop a training.'


def write_json(findings: Sequence[Finding], path: str | Path) -> None:
    """Writes the findings as a JSON list."""
    content = [found.as_dict() for found in findings]
    Path(path).write_text(json.dumps(content, indent=1, ensure_ascii=False) + '\n', encoding='utf-8')
