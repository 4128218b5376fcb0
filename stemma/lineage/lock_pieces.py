"""dvc.lock read piece by piece: thousands of runs repeat most of its lines, and a text that repeats is parsed once."""

import json
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

from stemma.lineage.dvc import LockEntry, read_lock

HEADER = "schema: '2.0'\nstages:\n"
STAGE = re.compile(r"^  (?=\S)", re.MULTILINE)
KEY = re.compile(r"^    (?=[^\s-])", re.MULTILINE)
ITEM = re.compile(r"^    - ", re.MULTILINE)
REMEMBERED = 50_000
"""Pieces kept in memory, of a few hundred bytes each."""


def stage_texts(lock: str) -> list[str]:
    """The stages of a dvc.lock, a text each."""
    if lock.startswith(HEADER):
        return STAGE.split(lock.removeprefix(HEADER))[1:]
    return [json.dumps({name: entry}, sort_keys=True) for name, entry in read_lock(lock).items()]


def read_stage(text: str) -> tuple[str, LockEntry]:
    """The name of a stage and what dvc.lock says of it, from one of the texts above."""
    if text.startswith("{"):
        ((name, entry),) = json.loads(text).items()
        return name, entry
    head, *keys = KEY.split(text)
    (address,) = _parsed(head)
    return address.partition("@")[0], dict(map(_section, keys))


def _section(text: str) -> tuple[str, Any]:
    """One key of a stage with its value; what it lists (deps, outs) is parsed an item at a time."""
    head, *items = ITEM.split(text)
    ((key, value),) = _parsed(head).items()
    return key, list(_items(items)) if items else value


def _items(texts: list[str]) -> Iterator[Any]:
    for text in texts:
        yield from _parsed(f"    - {text}")


@lru_cache(REMEMBERED)
def _parsed(text: str) -> Any:
    return _yaml().load(text)


@cache
def _yaml() -> Any:
    """One parser for all pieces: it takes longer to make than a piece to parse."""
    from ruamel.yaml import YAML

    return YAML(typ="safe")
