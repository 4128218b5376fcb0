"""Step checkpoints in a stage's scratch folder: a kill at any moment leaves at least the newest whole one.

A checkpoint is a folder `checkpoint-<step>`; the mark in it is written last, so a folder without the mark was cut short
by a kill and does not count.
"""

import re
import shutil
from pathlib import Path

from stemma.stage.durable import WRITING, sync, sync_all

MARK = "whole"
_NAME = re.compile(r"checkpoint-(\d+)")


def last_whole_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end; None where there is none yet."""
    return next(iter(whole_checkpoints(folder)), None)


def whole_checkpoints(folder: Path) -> list[Path]:
    """The checkpoints that were written to their ends, newest first."""
    return sorted((path for path in checkpoints(folder) if (path / MARK).exists()), key=step_of, reverse=True)


def step_of(checkpoint: Path) -> int:
    """The step after which a checkpoint was written."""
    return int(checkpoint.name.rpartition("-")[2])


def mark_whole(checkpoint: Path) -> None:
    """Declare that all of a checkpoint's files are written, once the disk has them: a power loss takes no more than a
    kill does.
    """
    sync_all(checkpoint)
    sync(checkpoint.parent)
    (checkpoint / MARK).touch()
    sync(checkpoint)


def drop_cut_short(folder: Path) -> None:
    """Remove what a kill left half written."""
    for path in checkpoints(folder):
        if not (path / MARK).exists():
            shutil.rmtree(path)


def checkpoints(folder: Path) -> list[Path]:
    """All checkpoints in a folder, whole or not."""
    return [path for path in folder.iterdir() if _NAME.fullmatch(path.name)] if folder.exists() else []


def has_whole_checkpoint(scratch: Path) -> bool:
    """Whether there is a whole checkpoint anywhere in a scratch folder."""
    return any(last_whole_checkpoint(folder) for folder in _folders(scratch))


def resumable(scratch: Path) -> list[Path]:
    """The files that a stage goes on from, relative to its scratch folder: the newest whole checkpoints, and what lies
    beside them; sorted. Nothing half-written is among them.
    """
    newest = {last_whole_checkpoint(folder) for folder in {scratch, *_folders(scratch)}}
    files = (path.relative_to(scratch) for path in scratch.rglob("*") if path.is_file())
    return sorted(file for file in files if _counts(scratch, file, newest))


def _folders(scratch: Path) -> list[Path]:
    return [path.parent for path in scratch.rglob("checkpoint-*") if path.is_dir()]


def _counts(scratch: Path, file: Path, newest: set[Path | None]) -> bool:
    if any(part.startswith(WRITING) or part.endswith(f".{WRITING}") for part in file.parts):
        return False
    own = [scratch.joinpath(*file.parts[: i + 1]) for i, part in enumerate(file.parts) if _NAME.fullmatch(part)]
    return all(checkpoint in newest for checkpoint in own)
