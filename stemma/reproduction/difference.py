"""How a rebuilt artifact differs from the recorded one, file by file."""

import shutil
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

from stemma.lineage.md5 import file_md5
from stemma.lineage.store import Store
from stemma.reproduction.tensor_difference import tensor_differences
from stemma.stage.manifest import MANIFEST

SHOWN = 160
"""Characters of a row."""


def artifact_differences(store: Store, recorded: str, rebuilt: Path) -> list[str]:
    """Say of each file of an artifact that differs how it does, as far as the recorded bytes are still here."""
    listed = store.files(recorded)
    if listed is None:
        return ["how is not known: the recorded bytes are neither in the cache nor on a remote"]
    present = _present(rebuilt)
    lines = []
    # The manifest names the others' hashes, so it differs wherever one of them does.
    differing = [path for path in sorted(listed.keys() | present.keys()) if listed.get(path) != present.get(path)]
    for path in differing if differing == [MANIFEST] else [path for path in differing if path != MANIFEST]:
        lines += list(_file_lines(store, path, listed, present, rebuilt))
    return lines


def _present(folder: Path) -> dict[str, str]:
    """The md5 of each file, by path; a single file has the path ''."""
    files = [folder] if folder.is_file() else [file for file in folder.rglob("*") if file.is_file()]
    return {"" if file == folder else file.relative_to(folder).as_posix(): file_md5(file) for file in files}


def _file_lines(
    store: Store, path: str, listed: Mapping[str, str], present: Mapping[str, str], rebuilt: Path
) -> Iterator[str]:
    if path not in present:
        yield f"{path} was not made again"
        return
    if path not in listed:
        yield f"{path} was not there before"
        return
    yield f"{path}: md5 {listed[path]}, now {present[path]}"
    with TemporaryDirectory() as folder:
        old = Path(folder) / "recorded"
        place = next((place for place in store.places() if place.has(listed[path])), None)
        if place:
            with place.open(listed[path]) as source, old.open("wb") as copy:
                shutil.copyfileobj(source, copy)
            yield from (f"  {line}" for line in _contents(path, old, rebuilt / path if path else rebuilt))


def _contents(path: str, recorded: Path, rebuilt: Path) -> list[str]:
    if path.endswith(".safetensors"):
        return tensor_differences(recorded, rebuilt)
    with recorded.open("rb") as old, rebuilt.open("rb") as new:
        for number, (one, other) in enumerate(zip_longest(old, new), start=1):
            if one != other:
                return [f"line {number} was {_shown(one)}", f"line {number} is  {_shown(other)}"]
    return []


def _shown(line: bytes | None) -> str:
    if line is None:
        return "not there"
    text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
    return text[:SHOWN] + ("…" if len(text) > SHOWN else "")
