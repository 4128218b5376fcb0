"""A form that rows come in: the fields that it has, its reader and its writer."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stemma.records.example import Example

Row = Mapping[str, Any]
Fields = frozenset[str]


@dataclass(frozen=True)
class Form:
    """A form of rows, known by its set of fields."""

    name: str
    required: Fields
    read: Callable[[Row], Example]
    """Raises RowFault where a field is not as the form has it."""
    write: Callable[[Example], Iterable[dict[str, Any]]]
    """Rows that say as much of an example as the form can hold; none where it can hold nothing of it."""
    optional: Fields = frozenset()
    takes_others: bool = False
    """Whether a row may have any other fields too, which the reader keeps."""
    marks: tuple[str, ...] = ()
    """Endings of names of which one at least must occur among the fields."""
    array: bool = False
    """Whether its files are one JSON array, not JSON Lines."""
    has_ids: bool = False
    """Whether no two rows of a file may have the same `id`."""
    by_name_only: bool = False
    """Whether another form with the same fields is tried where none is named."""

    def fits(self, fields: Fields) -> bool:
        """Whether a row with these fields is in this form."""
        if not self.required <= fields or (self.marks and not any(name.endswith(self.marks) for name in fields)):
            return False
        return self.takes_others or fields <= self.required | self.optional
