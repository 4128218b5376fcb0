"""Processes that a stage is started in again: how they end, and what is told of it. No model is loaded."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from stemma.config import MachineConfig, parse_settings
from stemma.errors import SettingsError

ROOT = Path(__file__).parents[3]
DOOR = """
import sys
from pathlib import Path
from stemma.config import MachineConfig
from stemma.stage.ranks import run_in_ranks
run_in_ranks(["-c", sys.argv[1]], "sft", MachineConfig(processes=2), Path(), Path())
"""
KILLED = (
    "stemma.errors.TrainingError: process 1 of 2 of sft was ended by SIGKILL; where nobody did that, look for a lack "
    "of memory in the system's log. Run again: it goes on from the newest step checkpoint."
)
RANK = """
import os, signal, time, torch.distributed
from torch.distributed.elastic.multiprocessing.errors import record
from stemma.config import MachineConfig
from stemma.errors import DataError
from stemma.stage.orphan import end_with
from stemma.stage.rank import RANK_VARIABLE, first_goes_on_alone, is_first, join, rank, wait_for_all

@record
def work():
    end_with(int(os.environ[RANK_VARIABLE]))
    join(MachineConfig(processes=2))
    if rank() == 1:
        {last}
    wait_for_all()

work()
"""


def door(last: str) -> "subprocess.Popen[str]":
    """Start a door whose second rank does this last, while the first waits for it."""
    command = [sys.executable, "-c", DOOR, RANK.format(last=last)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("last", "message"),
    [
        ("raise DataError('row 7 is empty')", "stemma.errors.DataError: row 7 is empty"),
        ("os.kill(os.getpid(), signal.SIGKILL)", KILLED),
        ("raise KeyError('no such key')", "KeyError: 'no such key'"),
    ],
    ids=["an error for people", "killed", "a bug"],
)
def test_the_rank_that_failed_first_is_told(last: str, message: str) -> None:
    _, told = door(last).communicate(timeout=60)
    assert told.strip().splitlines()[-1] == message, told


def test_no_rank_outlives_a_door_that_is_killed() -> None:
    started = door("time.sleep(600)")
    ranks: list[psutil.Process] = []
    while len(ranks) < 2:
        time.sleep(0.05)
        ranks = psutil.Process(started.pid).children()  # type: ignore[no-untyped-call]
    started.kill()
    started.communicate()
    _, alive = psutil.wait_procs(ranks, timeout=30)  # type: ignore[no-untyped-call]
    assert not alive


def test_the_first_goes_on_when_the_others_end() -> None:
    code = "pass\n    wait_for_all()\n    first_goes_on_alone()\n    print('rank', rank(), is_first())"
    said, told = door(code).communicate(timeout=60)
    assert said == "rank 0 True\n", told


def test_sharding_in_one_process_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"sharding zero2 divides the training among processes, and processes is 1"):
        parse_settings(MachineConfig, {"sharding": "zero2"}, "params.yaml, section machine,")
