"""A user's file, as the JSON values in it: JSON Lines or one JSON array, plain or gzipped."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from stemma.errors import DataError
from stemma.records.fault import RowFault

EXTENSIONS = (".jsonl", ".json", ".jsonl.gz", ".json.gz")
_LFS_POINTER = b"version https://git-lfs"
_GZIP_MAGIC = b"\x1f\x8b"
_SPACE = " \t\r\n"


class SourceRow(NamedTuple):
    """A value and the line, counted from 1, that it begins on; or the fault of a line that is not JSON."""

    line: int
    value: Any
    fault: RowFault | None = None


def read_source(path: Path) -> list[SourceRow]:
    """Read the values of a file; a byte order mark and Windows line ends are taken as they come.

    Raises DataError where the file as a whole cannot be read: missing, of another type, a Git LFS pointer, damaged,
    not UTF-8, empty, or an array that is not JSON.
    """
    text = _text(path, _content(path)).removeprefix("\ufeff")
    begin = _after_space(text, 0)
    if begin == len(text):
        raise DataError(f"{path} is empty; give it rows or take it out of data.files")
    rows = list(_array(path, text, begin) if text[begin] == "[" else _lines(text))
    if not rows:
        raise DataError(f"{path} holds an empty array; give it rows or take it out of data.files")
    return rows


def _content(path: Path) -> bytes:
    if not path.name.endswith(EXTENSIONS):
        raise DataError(f"{path} is not of a type that is read; convert it to {', '.join(EXTENSIONS)}")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; put it there, or mend data.files") from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder; name the files in it in data.files") from None
    if content.startswith(_LFS_POINTER):
        raise DataError(f"{path} is a Git LFS pointer, not the data; run `git lfs pull` where it came from")
    return _unzipped(path, content) if path.name.endswith(".gz") else content


def _unzipped(path: Path, content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is not a whole gzip file ({error}); fetch it again") from None


def _text(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        if content.startswith(_GZIP_MAGIC):
            raise DataError(f"{path} is gzipped; give it a name that ends in .gz") from None
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}:{line} is not UTF-8; save the file as UTF-8") from None


def _lines(text: str) -> Iterator[SourceRow]:
    # Only "\n" ends a row: JSON texts may hold other line separators, such as U+2028, as they are.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip(_SPACE):
            continue
        try:
            yield SourceRow(number, json.loads(line))
        except (ValueError, RecursionError) as error:
            yield SourceRow(number, None, RowFault("(line)", f"is not JSON: {_said(error)}"))


def _array(path: Path, text: str, begin: int) -> Iterator[SourceRow]:
    decode = json.JSONDecoder().raw_decode
    line, counted = 1, 0
    position = _after_space(text, begin + 1)
    more = text[position : position + 1] != "]"
    while more:
        line, counted = line + text.count("\n", counted, position), position
        try:
            value, position = decode(text, position)
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


def _broken(path: Path, line: int, what: str) -> DataError:
    return DataError(f"{path}:{line} is not JSON: {what}; an array must be whole, so mend the file")


def _said(error: Exception) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply or a number too long"


def _after_space(text: str, position: int) -> int:
    while position < len(text) and text[position] in _SPACE:
        position += 1
    return position
