"""The step checkpoints of training loops of our own."""

import pickle
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from stemma.stage.durable import WRITING, sync
from stemma.stage.out_of_memory import is_out_of_memory
from stemma.stage.steps import checkpoints, mark_whole, step_of, whole_checkpoints

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
    sync(target.parent)
    for older in checkpoints(folder):
        if older != target:
            shutil.rmtree(older)


def load_checkpoint(folder: Path, say: Callable[[str], None]) -> Checkpoint | None:
    """The newest whole checkpoint that `save_checkpoint` wrote, on the CPU; None where there is none yet.

    One that cannot be read, because its disk is damaged, does not count, and `say` is told.
    """
    for path in whole_checkpoints(folder):
        try:
            return Checkpoint(step_of(path), torch.load(path / STATE, map_location="cpu", weights_only=True))
        except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
            if is_out_of_memory(error):
                raise
            first = str(error).partition("\n")[0] or type(error).__name__
            say(f"{path} cannot be read, and does not count: {first}")
    return None
