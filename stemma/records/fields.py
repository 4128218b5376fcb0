"""Fields of a user's row: what they must be, and what is kept of those that a row's meaning does not need."""

import math
from collections.abc import Mapping
from typing import Any

from stemma.records.fault import RowFault
from stemma.records.types import Origin

DEEPEST = 40
_NUMBER = int | float
_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}


def json_type(value: Any) -> str:
    """What a JSON value is called."""
    return _KINDS.get(type(value), "a number")


def object_of(value: Any, field: str) -> dict[str, Any]:
    """Return the value if it is an object. Raises RowFault otherwise."""
    if not isinstance(value, dict):
        raise RowFault(field, f"must be an object: it is {json_type(value)}")
    return value


def list_of(value: Any, field: str) -> list[Any]:
    """Return the value if it is a list. Raises RowFault otherwise."""
    if not isinstance(value, list):
        raise RowFault(field, f"must be a list: it is {json_type(value)}")
    return value


def number_of(value: Any, field: str) -> float:
    """Return the value if it is a number. Raises RowFault otherwise."""
    if isinstance(value, bool) or not isinstance(value, _NUMBER):
        raise RowFault(field, f"must be a number: it is {json_type(value)}")
    return value


def index_of(value: Any, field: str, count: int) -> int:
    """Return the value if it is a whole number from 0 up to, not including, `count`. Raises RowFault otherwise."""
    number = number_of(value, field)
    if number not in range(count):
        raise RowFault(field, f"must be a whole number from 0 to {count - 1}: it is {number}")
    return int(number)


def part_of(row: Mapping[str, Any], key: str, field: str) -> Any:
    """Return what an inner object holds under a key; `field` names the object. Raises RowFault where it is absent."""
    if row.get(key) is None:
        raise RowFault(f"{field}.{key}", "is missing")
    return row[key]


def name_of(value: Any, field: str) -> str | None:
    """The name of a person or judge, which may be a number; None where nobody is named. Raises RowFault otherwise."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise RowFault(field, f"must be a name or number: it is {json_type(value)}")
    return str(value)


def kept(row: Mapping[str, Any], *known: str) -> Origin | None:
    """The fields of a row, or of an object in it, that are not null and not among those known by name, sorted."""
    return {key: row[key] for key in sorted(row) if key not in known and row[key] is not None} or None


def check_shareable(value: Any, field: str = "(row)", depth: int = 0) -> None:
    """Check that a value can be written as JSON that every reader takes.

    Raises RowFault at half of a surrogate pair, NaN, an infinity, a number of more than 64 bits or endless nesting.
    """
    if depth > DEEPEST:
        raise RowFault("(row)", f"is nested deeper than {DEEPEST} levels")
    if isinstance(value, str):
        _check_letters(value, field)
    elif isinstance(value, int | float):
        _check_number(value, field)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_letters(key, field)
            check_shareable(item, _inner(field, key), depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            check_shareable(item, f"{field}[{index}]", depth + 1)


def _check_number(value: float, field: str) -> None:
    if not (-(2**63) <= value < 2**63 if isinstance(value, int) else math.isfinite(value)):
        raise RowFault(field, "holds NaN, an infinity or a number too long, which JSON files cannot share")


def _check_letters(text: str, field: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RowFault(field, "holds half of a surrogate pair, which is no letter") from None


def _inner(field: str, key: str) -> str:
    name = key[:40] or '""'
    return name if field == "(row)" else f"{field}.{name}"
