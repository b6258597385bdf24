"""What a check of annotations found."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import islice

#: Training and testing stop at an error; a warning is logged.
ERROR, WARNING = 'error', 'warning'

_NUM_EXAMPLES = 5


@dataclass(frozen=True)
class Finding:
    """One rule that one file breaks.

    Attributes:
        rule: A short name, such as ``'keypoint-count'``.
        severity: ``'error'`` or ``'warning'``.
        message: What is wrong, as the end of a sentence that begins with the count.
        count: How often.
        examples: The first places: ids of annotations or images, names of files.
        unit: What an example is, such as ``'annotation'``.
        file: The file that was checked.
        split: ``'train'``, ``'val'`` or ``'test'``.
    """

    rule: str
    severity: str
    message: str
    count: int = 1
    examples: tuple = ()
    unit: str = ''
    file: str = ''
    split: str = ''

    @property
    def sentence(self) -> str:
        """The finding without its file: how often, what, and where first."""
        if not self.examples:
            return self.message
        names = ', '.join(str(example) for example in self.examples)
        more = ', ...' if self.count > len(self.examples) else ''
        return f'{self.count:,} {self.message} ({self.unit} {names}{more})'

    def as_dict(self) -> dict:
        """For a JSON file."""
        return asdict(self)


def finding(rule: str, severity: str, message: str, places: Iterable = (), unit: str = 'annotation') -> list[Finding]:
    """One finding where there are places, and none where there are none."""
    places = list(places)
    if not places:
        return []
    examples = tuple(place.item() if hasattr(place, 'item') else place for place in islice(places, _NUM_EXAMPLES))
    return [Finding(rule, severity, message, len(places), examples, unit)]


def file_error(rule: str, message: str) -> list[Finding]:
    """A finding about a file as a whole."""
    return [Finding(rule, ERROR, message)]
