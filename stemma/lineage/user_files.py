"""The user's raw files, copied into a worktree under names of their own and tracked by DVC."""

import shutil
from collections import Counter
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from stemma.errors import DataError
from stemma.lineage.dvc import run_dvc

DATA = "inputs/data"
"""The user's files, under a workspace."""


def input_names(files: Sequence[Path]) -> list[str]:
    """The name under inputs/data of each file: its own, with the names of its folders before it if two files share one.

    `a/rows.jsonl` and `b/rows.jsonl` are `a-rows.jsonl` and `b-rows.jsonl`. Where that is no end of it, as with
    `a-rows.jsonl` beside them, the later ones are numbered.
    """
    names = [file.name for file in files]
    for depth in range(2, 1 + max((len(file.parts) for file in files), default=0)):
        counts = Counter(names)
        names = [
            name if counts[name] == 1 else "-".join(file.parts[1:][-depth:])
            for name, file in zip(names, files, strict=True)
        ]
    return _numbered(names)


def _numbered(names: Sequence[str]) -> list[str]:
    """The names, a number put before the ending of one that came before."""
    taken = set(names)
    kept: dict[str, None] = {}
    for name in names:
        stem, dot, ending = name.partition(".")
        others = (f"{stem}-{number}{dot}{ending}" for number in count(2))
        kept[name if name not in kept else next(other for other in others if other not in taken | kept.keys())] = None
    return list(kept)


def check_files(files: Sequence[Path]) -> None:
    """Raise DataError where the user's files are not there, or one is named twice."""
    faults = [
        f"  {file}: it is a folder; name each file in it" if file.is_dir() else f"  {file}: no such file"
        for file in files
        if not file.is_file()
    ]
    twice = dict.fromkeys(file for file in files if list(files).count(file) > 1)
    faults += [f"  {file}: it is named twice; name it once" for file in twice]
    if faults:
        raise DataError("\n".join(["data.files names files that cannot be taken in:", *faults]))


def take_in(path: Path, files: Sequence[Path], *options: str) -> None:
    """Copy the user's files into a worktree and have `dvc add` track them, with the given options."""
    if not files:
        return
    names = [f"{DATA}/{name}" for name in input_names(files)]
    for file, name in zip(files, names, strict=True):
        shutil.copyfile(file, path / name)
    run_dvc(path, "add", *options, *names)
