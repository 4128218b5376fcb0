"""A user's file, as the JSON values in it: JSON Lines, one JSON array or one JSON object, plain or gzipped."""

import gzip
import io
import json
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Any, NamedTuple

from stemma.errors import DataError
from stemma.records.fault import RowFault

EXTENSIONS = (".jsonl", ".json", ".jsonl.gz", ".json.gz")
WHOLE = (".json", ".json.gz")
_LFS_POINTER = b"version https://git-lfs"
_GZIP_MAGIC = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SPACE = " \t\r\n"
LONGEST_NUMBER = 40
"""Digits; a longer one counts as NaN, because reading it takes time that grows with the square of its length."""


class SourceRow(NamedTuple):
    """A value and the line, counted from 1, that it begins on; or the fault of a line that is not JSON."""

    line: int
    value: Any
    fault: RowFault | None = None


Lines = Iterator[tuple[int, bytes]]


def read_source(path: Path) -> Iterator[SourceRow]:
    """Read the values of a file, lines one by one; a byte order mark and Windows line ends are taken as they come.

    Raises DataError where the file as a whole cannot be read: missing, of another type, a Git LFS pointer, damaged,
    not UTF-8, empty, or an array that is not JSON. Damage shows only where reading comes to it.
    """
    with _opened(path) as stream:
        numbered = ((number, _without_mark(number, line)) for number, line in enumerate(stream, start=1))
        lines = ((number, line) for number, line in numbered if line.strip())
        first = next(lines, None)
        if first is None:
            raise DataError(f"{path} is empty; give it rows or leave it out")
        number, opening = first
        if opening.lstrip().startswith(b"["):
            yield from _array(path, _text(path, number, opening + stream.read()), number)
        elif path.name.endswith(WHOLE) and _row(number, _text(path, number, opening)).fault is not None:
            yield from _object(number, _text(path, number, opening + stream.read()))
        else:
            yield from (_row(number, _text(path, number, line)) for number, line in chain([first], lines))


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    if not path.name.endswith(EXTENSIONS):
        raise DataError(f"{path} is not of a type that is read; convert it to {', '.join(EXTENSIONS)}")
    try:
        with path.open("rb") as raw:
            head = raw.read(len(_LFS_POINTER))
            raw.seek(0)
            if head == _LFS_POINTER:
                raise DataError(f"{path} is a Git LFS pointer, not the data; run `git lfs pull` where it came from")
            if path.name.endswith(".gz"):
                with gzip.GzipFile(fileobj=raw) as unzipped:
                    yield io.BufferedReader(unzipped)
                return
            if head.startswith(_GZIP_MAGIC):
                raise DataError(f"{path} is gzipped; give it a name that ends in .gz")
            yield raw
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; put it there, or correct its name") from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder; name the files in it") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} is not a whole gzip file ({error}); fetch it again") from None


def _without_mark(number: int, line: bytes) -> bytes:
    return line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line


def _text(path: Path, number: int, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = number + content.count(b"\n", 0, error.start)
        raise DataError(f"{path}:{line} is not UTF-8; save the file as UTF-8") from None


def _row(number: int, line: str) -> SourceRow:
    try:
        return SourceRow(number, _decoder.decode(line))
    except (ValueError, RecursionError) as error:
        return SourceRow(number, None, RowFault("(line)", f"is not JSON: {_said(error)}"))


def _object(number: int, text: str) -> Iterator[SourceRow]:
    """One object over several lines, or else a row a line."""
    whole = _row(number, text)
    if whole.fault is None:
        yield whole
        return
    # Only "\n" ends a row: JSON texts may hold other line separators, such as U+2028, as they are.
    lines = enumerate(text.split("\n"), start=number)
    yield from (_row(place, line) for place, line in lines if line.strip(_SPACE))


def _array(path: Path, text: str, line: int) -> Iterator[SourceRow]:
    position = counted = _after_space(text, text.index("[") + 1)
    line += text.count("\n", 0, counted)
    more = text[position : position + 1] != "]"
    if not more:
        raise DataError(f"{path} holds an empty array; give it rows or leave it out")
    while more:
        line, counted = line + text.count("\n", counted, position), position
        try:
            value, position = _decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            raise _broken(path, line, _said(error)) from None
        yield SourceRow(line, value)
        position = _after_space(text, position)
        more = text[position : position + 1] == ","
        if not more and text[position : position + 1] != "]":
            raise _broken(path, line, "no comma or ] after the row that begins there")
        position = _after_space(text, position + 1) if more else position
    if _after_space(text, position + 1) != len(text):
        raise _broken(path, line, "something follows the end of the array")


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) <= LONGEST_NUMBER else math.nan


_decoder = json.JSONDecoder(parse_int=_whole_number)


def _broken(path: Path, line: int, what: str) -> DataError:
    return DataError(f"{path}:{line} is not JSON: {what}; an array must be whole, so mend the file")


def _said(error: Exception) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"


def _after_space(text: str, position: int) -> int:
    while position < len(text) and text[position] in _SPACE:
        position += 1
    return position
