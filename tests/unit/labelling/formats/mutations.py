"""Rows and files as they arrive when something went wrong on the way."""

import gzip
import json
import math
import random
from collections.abc import Callable, Iterator
from typing import Any

from tests.unit.labelling.formats.samples import SAMPLES

VALUES: list[Any] = [
    None, True, False, 0, -1, 2, 10**18, 10**400, 0.5, math.nan, math.inf, -math.inf, "", " ", "a", "\ud83d",
    "\u202e\u0000", "x" * 20_000, [], [None], [[]], {}, {"": ""}, {"role": "user"}, [1, "a", {}],
    "version https://git-lfs.github.com/spec/v1", "\n\nHuman: a\n\nAssistant: b", {"ranker": {"_": "a"}},
    ["submitted", None, 3],
]  # fmt: skip
NAMES = [
    "id",
    "prompt",
    "annotations",
    "data.items",
    "x.responses",
    "x.responses.users",
    "margin",
    "chosen",
    "",
    "\ud83d",
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a row."""
    yield path
    for key, item in value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ()):
        yield from places(item, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    """The row with a changed part."""
    if not path:
        return change(value)
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(copy[path[0]], path[1:], change)
    return copy


def without(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict) and value:
        gone = chance.choice(list(value))
        return {key: item for key, item in value.items() if key != gone}
    return value[:-1] if isinstance(value, list | str) else value


def added(value: Any, chance: random.Random) -> Any:
    new = chance.choice(VALUES)
    if isinstance(value, dict):
        return {**value, chance.choice(NAMES): new}
    return [*value, new] if isinstance(value, list) else [value, new]


def nested(value: Any, chance: random.Random) -> Any:
    for _ in range(chance.choice([1, 2, 30, 45, 90])):
        value = [value] if chance.random() < 0.5 else {"a": value}
    return value


def mutated_row(chance: random.Random) -> Any:
    """A row of some format with one to three parts changed."""
    row: Any = chance.choice(SAMPLES[chance.choice(list(SAMPLES))])
    for _ in range(chance.choice([1, 1, 2, 3])):
        path = chance.choice(list(places(row)))
        kind = chance.randrange(5)
        if kind == 0:
            row = replaced(row, path, lambda _: chance.choice(VALUES))
        elif kind == 1:
            row = replaced(row, path, lambda value: without(value, chance))
        elif kind == 2:
            row = replaced(row, path, lambda value: added(value, chance))
        elif kind == 3:
            row = replaced(row, path, lambda value: nested(value, chance))
        else:
            row = replaced(row, path, lambda _: chance.choice(chance.choice(list(SAMPLES.values()))))
    return row


def mutated_line(chance: random.Random) -> str:
    """A mutated row as a line, which may be damaged too."""
    line = json.dumps(mutated_row(chance), ensure_ascii=chance.random() < 0.9)
    place = chance.randrange(len(line) + 1)
    damages: list[Callable[[], str]] = [
        lambda: line[:place],
        lambda: line[place:],
        lambda: line + line,
        lambda: line + "\r",
        lambda: "\ufeff" + line,
        lambda: line[:place] + chance.choice(["\x00", "\t", "}", '"', ",", "\u2028", "9" * 5000]) + line[place:],
        lambda: chance.choice(["[", '{"prompt":']) * 20_000,
    ]
    return chance.choice(damages)() if chance.random() < 0.3 else line


def mutated_file(chance: random.Random, lines: list[str]) -> tuple[str, bytes]:
    """A name and the bytes of a file with those lines, which may be damaged as a whole."""
    array = chance.random() < 0.2
    text = "[" + ",\n".join(lines) + "]" if array else "\n".join(lines) + "\n" * (chance.random() < 0.5)
    content = text.encode("utf-8", "surrogatepass")
    if chance.random() < 0.2:
        content = content.replace(b"\n", b"\r\n")
    if chance.random() < 0.2:
        content = b"\xef\xbb\xbf" + content
    name = chance.choice(["rows.json", "rows.jsonl"])
    if chance.random() < 0.3:
        name, content = f"{name}.gz", gzip.compress(content, 1, mtime=0)
    wrecks: list[Callable[[], bytes]] = [
        lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n",
        lambda: content[: chance.randrange(len(content))],
        lambda: content[chance.randrange(len(content)) :],
        lambda: b"",
        lambda: text.encode("utf-16", "surrogatepass"),
        lambda: gzip.compress(content, 1, mtime=0),
    ]
    return name, chance.choice(wrecks)() if chance.random() < 0.1 else content
