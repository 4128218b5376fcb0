"""The step checkpoints of training loops of our own."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from stemma.stage.steps import WRITING, checkpoints, last_whole_checkpoint, mark_whole, step_of

STATE = "state.pt"


class Checkpoint(NamedTuple):
    """What a training loop of our own goes on from."""

    step: int
    state: dict[str, Any]


def save_checkpoint(folder: Path, step: int, state: Mapping[str, Any]) -> None:
    """Write the state after a step (tensors, numbers, and containers of them) and drop older checkpoints."""
    building = folder / f"{WRITING}-{step}"
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    torch.save(dict(state), building / STATE)
    mark_whole(building)
    target = folder / f"checkpoint-{step}"
    shutil.rmtree(target, ignore_errors=True)
    building.rename(target)
    for older in checkpoints(folder):
        if older != target:
            shutil.rmtree(older)


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint that `save_checkpoint` wrote, on the CPU; None where there is none yet."""
    path = last_whole_checkpoint(folder)
    if path is None:
        return None
    return Checkpoint(step_of(path), torch.load(path / STATE, map_location="cpu", weights_only=True))
