"""Starting a stage again as several processes, with torchrun's own agent, and telling which of them failed and why.

The door stays the parent: it holds the scratch folder, makes the artifact's folder and writes the manifest.
"""

import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stemma import errors
from stemma.config import MachineConfig
from stemma.errors import SettingsError, StemmaError, TrainingError
from stemma.stage.rank import RANK_VARIABLE

if TYPE_CHECKING:
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

TRAIN_IN_RANKS = frozenset({"sft", "judge", "reward", "ppo", "dpo"})
"""The stages that machine.processes is for."""
RANK_OUTPUT_VARIABLE = "STEMMA_RANK_OUTPUT"
RANK_SCRATCH_VARIABLE = "STEMMA_RANK_SCRATCH"
SECONDS_TO_END = 5
"""Between asking the other ranks to end and ending them."""


def run_in_ranks(command: Sequence[str], name: str, machine: MachineConfig, output: Path, scratch: Path) -> None:
    """Run `python <command>` in machine.processes processes until all have ended; where one fails, all are ended.

    Raises SettingsError where there are fewer GPUs, the StemmaError that a rank raised, TrainingError where one was
    killed, RuntimeError with its traceback where it failed otherwise.
    """
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    _check_gpus(machine)
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # what failed is told here, once
    told = {RANK_VARIABLE: str(os.getpid()), RANK_OUTPUT_VARIABLE: str(output), RANK_SCRATCH_VARIABLE: str(scratch)}
    os.environ |= told  # the agent hands its own environment on
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=machine.processes,
        run_id=name,
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",
        local_addr="127.0.0.1",
        max_restarts=0,
        virtual_local_rank=machine.device == "cuda",  # each sees one GPU, so that `cuda` is its own everywhere
        shutdown_timeout=SECONDS_TO_END,
    )
    try:
        elastic_launch(config, sys.executable)(*command)
    except ChildFailedError as failed:
        raise _cause(failed, name, machine.processes) from None
    finally:
        for variable in told:
            del os.environ[variable]


def _check_gpus(machine: MachineConfig) -> None:
    import torch

    found = torch.cuda.device_count()
    if machine.device == "cuda" and found < machine.processes:
        raise SettingsError(
            f"machine.processes is {machine.processes}, each on a GPU of its own, and {found} are visible here; lower "
            "it, or name more in CUDA_VISIBLE_DEVICES"
        )


def _cause(failed: "ChildFailedError", name: str, processes: int) -> Exception:
    """What the person must know: a rank that fails makes the others fail too, so the likeliest to be first is told."""
    failure = min((failure for _, failure in sorted(failed.failures.items())), key=_order)
    error = _said(failure)
    if isinstance(error, StemmaError):
        return error
    who = f"process {failure.local_rank} of {processes} of {name}"
    if failure.exitcode < 0:
        return TrainingError(
            f"{who} was ended by {failure.signal_name()}; where nobody did that, look for a lack of memory in the "
            "system's log. Run again: it goes on from the newest step checkpoint."
        )
    return RuntimeError(f"{who} failed:\n{error or f'it said nothing, and its exit status is {failure.exitcode}'}")


def _order(failure: "ProcessFailure") -> int:
    """Which failure is likelier the first: a lost connection is how the others notice, SIGTERM how they are ended."""
    if isinstance(_said(failure), StemmaError):
        return 0
    if failure.exitcode < 0:
        return 3 if failure.exitcode == -signal.SIGTERM else 1
    return 2


def _said(failure: "ProcessFailure") -> StemmaError | str:
    """The error that a rank left, or its traceback; empty where it was killed."""
    said = failure.error_file_data["message"]
    if not isinstance(said, dict):
        return ""
    kind, _, message = said["message"].partition(": ")
    known = getattr(errors, kind, None)
    if isinstance(known, type) and issubclass(known, StemmaError):
        return known(message)
    return str(said["extraInfo"]["py_callstack"])
