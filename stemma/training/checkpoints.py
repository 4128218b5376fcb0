"""Step checkpoints in a stage's scratch folder: a kill at any moment leaves at least the newest whole one.

A checkpoint is a folder `checkpoint-<step>`; the mark in it is written last, so a folder without the mark was cut short
by a kill and does not count.
"""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

MARK = "whole"
STATE = "state.pt"
_NAME = re.compile(r"checkpoint-(\d+)")


class Checkpoint(NamedTuple):
    """What a training loop of our own goes on from."""

    step: int
    state: dict[str, Any]


def last_whole_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end; None where there is none yet."""
    return max((path for path in _checkpoints(folder) if (path / MARK).exists()), key=step_of, default=None)


def step_of(checkpoint: Path) -> int:
    """The step after which a checkpoint was written."""
    return int(checkpoint.name.rpartition("-")[2])


def mark_whole(checkpoint: Path) -> None:
    """Declare that all of a checkpoint's files are written."""
    (checkpoint / MARK).touch()


def drop_cut_short(folder: Path) -> None:
    """Remove what a kill left half written."""
    for path in _checkpoints(folder):
        if not (path / MARK).exists():
            shutil.rmtree(path)


def save_checkpoint(folder: Path, step: int, state: Mapping[str, Any]) -> None:
    """Write the state after a step (tensors, numbers, and containers of them) and drop older checkpoints."""
    building = folder / f"writing-{step}"
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    torch.save(dict(state), building / STATE)
    mark_whole(building)
    target = folder / f"checkpoint-{step}"
    shutil.rmtree(target, ignore_errors=True)
    building.rename(target)
    for older in _checkpoints(folder):
        if older != target:
            shutil.rmtree(older)


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint that `save_checkpoint` wrote, on the CPU; None where there is none yet."""
    path = last_whole_checkpoint(folder)
    if path is None:
        return None
    return Checkpoint(step_of(path), torch.load(path / STATE, map_location="cpu", weights_only=True))


def _checkpoints(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if _NAME.fullmatch(path.name)] if folder.exists() else []
