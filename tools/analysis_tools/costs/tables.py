"""Costs as tables for the terminal."""

from collections.abc import Sequence

from rich.table import Table

from .comparison import Comparison, Figure
from .costs import PARTS, Complexity


def readable(number: float | None, digits: int = 2) -> str:
    """A count with the unit K, M or G: ``readable(16067485)`` is ``'16.07M'``; a dash for ``None``."""
    if number is None:
        return '-'
    for factor, unit in ((1e9, 'G'), (1e6, 'M'), (1e3, 'K')):
        if abs(number) >= factor:
            return f'{number / factor:.{digits}f}{unit}'
    return f'{number:g}'


def percent(share: float | None) -> str:
    """A signed share in percent, or a dash."""
    return '-' if share is None else f'{100 * share:+.2f}%'


def _table(title: str, texts: Sequence[str], numbers: Sequence[str]) -> Table:
    table = Table(title=title, title_justify='left')
    for text in texts:
        table.add_column(text, overflow='fold')
    for number in numbers:
        table.add_column(number, justify='right', no_wrap=True)
    return table


def summary_table(name: str, cost: Complexity, input_size_hw: Sequence[int]) -> Table:
    """The network and its parts."""
    height, width = input_size_hw
    table = _table(f'{name}, input {height}x{width} (height x width)', ['part'], ['params', 'MAdds', 'GFLOPs'])
    rows = [(part, cost.part(part)) for part in PARTS]
    for part, value in [*((part, value) for part, value in rows if value.layers), ('all', cost)]:
        table.add_row(part, readable(value.params), readable(value.madds), f'{value.gflops:.3f}')
    return table


def layer_table(cost: Complexity) -> Table:
    """Every layer; what a layer's children own and execute stands in their rows."""
    table = _table('Layers', ['layer', 'type', 'output'], ['calls', 'params', 'MAdds'])
    for layer in cost.layers:
        shape = 'x'.join(map(str, layer.output_shape[1:])) if layer.output_shape else '-'
        table.add_row(layer.name, layer.type, shape, str(layer.calls), readable(layer.params), readable(layer.madds, 3))
    return table


def paper_table(title: str, comparisons: Sequence[Comparison]) -> Table:
    """The paper's figures and ours side by side, a row for each part of each network."""
    quantities = list(next(iter(comparisons[0].figures.values())))
    has_overhead = comparisons[0].overhead is not None
    numbers = [column for name in quantities for column in (f'{name}\npaper', 'ours', 'diff.')]
    numbers += ['madds over\nstatic, paper', 'ours'] if has_overhead else []
    table = _table(title, ['network', 'mark', 'part'], numbers)
    table.caption = 'P: published and confirmed from a second source. R: recalled, not confirmed cell by cell.'
    table.caption_justify = 'left'
    for comparison in comparisons:
        name, mark = comparison.row.name, comparison.row.mark
        for part, figures in comparison.figures.items():
            cells = [cell for quantity in quantities for cell in _cells(quantity, figures[quantity])]
            if has_overhead:
                cells += [percent(comparison.overhead.paper), percent(comparison.overhead.ours)]
            table.add_row(name, mark, part, *cells)
            name = mark = ''
        if len(comparison.figures) > 1:
            table.add_section()
    return table


def _cells(quantity: str, figure: Figure) -> tuple[str, str, str]:
    if quantity == 'gflops':
        return f'{figure.paper:g}', f'{figure.ours:.3f}', percent(figure.relative)
    return readable(figure.paper), readable(figure.ours), percent(figure.relative)
