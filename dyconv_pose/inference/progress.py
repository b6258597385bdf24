"""A progress bar with pictures per second."""

from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _Rate(TextColumn):
    def __init__(self) -> None:
        super().__init__('')

    def render(self, task: Task) -> Text:
        """Pictures or frames per second so far."""
        elapsed = task.finished_time or task.elapsed
        return Text(f'{task.completed / elapsed:.1f}/s' if elapsed else '', style='progress.data.speed')


class RichProgress:
    """Tells the user how a run goes; a context manager, within which the bar is shown."""

    def __init__(self, console: Console | None = None) -> None:
        self._progress = Progress(
            TextColumn('{task.description}', markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console or Console(stderr=True),
        )
        self._task = None

    def __enter__(self) -> 'RichProgress':
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def start(self, what: str, total: int | None) -> None:
        """A group of pictures or a video begins."""
        self._task = self._progress.add_task(what, total=total)

    def advance(self) -> None:
        """One picture or frame is done."""
        self._progress.advance(self._task)

    def fail(self, message: str) -> None:
        """Names an input that is skipped."""
        self._progress.console.print(f'skipped: {message}', markup=False, highlight=False, soft_wrap=True)
