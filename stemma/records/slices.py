"""The slice of the data that a row belongs to: the value of one of its fields, which the user names."""

from collections.abc import Sequence
from typing import Any

from stemma.errors import DataError
from stemma.records.example import Example
from stemma.records.fault import RowFault
from stemma.records.reading import RowReader
from stemma.records.recognition import check_meaning

LONGEST = 60
"""Characters of a slice's name: it stands in names of metrics and in messages."""


def slice_reader(read: RowReader, field: str) -> RowReader:
    """Read rows as `read` does, and each prompt's slice from a field; a row without the field is in no slice.

    The field need not belong to the row's form. The reader raises RowFault where the value is no text, number or truth
    value, and where `read` does.
    """

    def read_with_slice(row: Any) -> Example:
        value = row.get(field) if isinstance(row, dict) else None
        try:
            example = read(row)
        except RowFault:
            if value is None:
                raise
            example = read({name: content for name, content in row.items() if name != field})
            check_meaning(example, {field})
        return example.model_copy(update={"kind": slice_name(value, field)})

    return read_with_slice if field else read


def slice_name(value: Any, field: str) -> str | None:
    """A field's value as the name of a slice. Raises RowFault where it cannot be one."""
    if value is None or value == "":
        return None
    if not isinstance(value, str | int | float):
        raise RowFault(field, "names a slice (data.slice_field), so it must be a text, a number or a truth value")
    return str(value)[:LONGEST]


def check_slices(examples: Sequence[Example], field: str) -> None:
    """Raises DataError where a field is named and no row has it."""
    if field and all(example.kind is None for example in examples):
        raise DataError(
            f"data.slice_field names {field!r}, and none of the {len(examples)} rows has that field; name a field that "
            "the rows have, or leave data.slice_field empty"
        )
