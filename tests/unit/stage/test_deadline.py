"""A stage whose run has spent its budget: it keeps its step and stops, is not begun, or is stopped wherever it is."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stemma.errors import BudgetError
from stemma.stage.deadline import DEADLINE_VARIABLE, Deadline
from stemma.stage.progress import Progress

PROJECT = Path(__file__).parents[3]
STAGE = """
import os, sys, time
from stemma.config import Settings
from stemma.stage.deadline import DEADLINE_VARIABLE, Deadline
from stemma.stage.door import run_stage

class Nothing(Settings):
    pass

def work(config, stage):
    (stage.output / "half").touch()
    time.sleep(60)

begins = time.monotonic()
os.environ[DEADLINE_VARIABLE] = str(Deadline(begins + float(sys.argv[1]), begins + 3))
run_stage("data", Nothing, work)
"""


def set_deadline(monkeypatch: pytest.MonkeyPatch, keep_and_stop: float, stop: float) -> None:
    now = time.monotonic()
    monkeypatch.setenv(DEADLINE_VARIABLE, str(Deadline(now + keep_and_stop, now + stop)))


def test_a_flow_that_says_nothing_sets_no_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    for said in ("", None):
        monkeypatch.delenv(DEADLINE_VARIABLE, raising=False)
        if said is not None:
            monkeypatch.setenv(DEADLINE_VARIABLE, said)
        assert Deadline.from_environment() == (float("inf"), float("inf"))
        assert not Deadline.from_environment().is_over()


def test_it_goes_through_the_environment_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DEADLINE_VARIABLE, str(Deadline(1234.125, 0.1)))
    assert Deadline.from_environment() == (1234.125, 0.1)


def test_a_kept_step_is_the_moment_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_deadline(monkeypatch, 60, 60)
    progress = Progress("ppo", tmp_path)
    assert not progress.wants_checkpoint()
    progress.kept(3)
    set_deadline(monkeypatch, -1, 60)
    progress = Progress("ppo", tmp_path)
    progress.log(4, 8, {"loss": 1.0})
    assert progress.wants_checkpoint()
    with pytest.raises(BudgetError, match="budget is spent, and step 4 is kept"):
        progress.kept(4)


def test_an_inherited_world_size_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_deadline(monkeypatch, -1, 60)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert Progress("ppo", tmp_path).wants_checkpoint()


def run_stage(folder: Path, keep_and_stop: str) -> str:
    """Run the stage that never ends, which is stopped after three seconds; what it printed."""
    (folder / "dvc.yaml").write_text("stages: {data: {cmd: python -m tasks.data, outs: [artifacts/data]}}\n")
    (folder / "params.yaml").write_text("seed: 0\n")
    words = [sys.executable, "-c", STAGE, keep_and_stop]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 2, done.stderr
    assert not (folder / "artifacts" / "data").exists()
    return done.stderr


def test_a_stage_without_steps_is_stopped(tmp_path: Path) -> None:
    assert "data: the run's budget is spent" in run_stage(tmp_path, "60")
    assert (tmp_path / "artifacts" / "data.tmp" / "half").exists(), "it was stopped before it began"


def test_a_stage_is_not_begun_once_the_budget_is_spent(tmp_path: Path) -> None:
    assert run_stage(tmp_path, "-1") == "data: the run's budget is spent, and it was not begun\n"
    assert not (tmp_path / "artifacts").exists()
