"""Rows in JSON Lines files, as the stages hand them to each other."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from stemma.errors import DataError
from stemma.records.types import Record

R = TypeVar("R", bound=Record)


def read_rows(path: Path, model: type[R]) -> list[R]:
    """Read every row of a file that `write_rows` wrote.

    Raises DataError naming the file, and for a bad row its line (counted from 1) and field.
    """
    try:
        # Only "\n" ends a row: JSON texts may hold other line separators, such as U+2028, as they are.
        with path.open(encoding="utf-8", newline="\n") as stream:
            return [_row(model, line, f"{path}:{number}") for number, line in enumerate(stream, start=1)]
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; run the stage that writes it again") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 ({error.reason}); run the stage that writes it again") from None


def write_rows(path: Path, rows: Iterable[Record]) -> None:
    """Write one JSON object a line; equal rows give equal bytes. Fields that are None are left out."""
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(row.model_dump_json(exclude_none=True) + "\n" for row in rows)


def _row(model: type[R], line: str, place: str) -> R:
    try:
        return model.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the row"
        raise DataError(f"{place}: {field}: {first['msg']}; a {model.__name__} row was expected") from None
