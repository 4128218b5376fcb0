"""What fails while a run is at work: each ends in the right state with a clear message, and nothing is lost."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.project import Project, ids
from tests.stack.stack import Stack

SETTING = "dpo.beta"
LONGER_THAN_A_CLIENT_TRIES = 15
"""Seconds; a run that tries again by itself and succeeds has nothing to say."""


@pytest.fixture(scope="module")
def clone(stack: Stack) -> Project:
    """A clone in which `dpo` has run once, so that the runs of these tests have little left to do."""
    made = stack.clone("failing")
    made.run("dpo", "healthy")
    return made


def in_the_middle(clone: Project, name: str, stage: str, happen: Callable[[], None], *options: str) -> str:
    """Run `dpo`, have something happen as soon as a stage has begun, and return what was printed."""
    process = clone.start("dpo", name, *options)
    log = clone.path / ".stemma" / "logs" / name / f"{stage}.log"
    deadline = time.monotonic() + 300
    while not log.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, f"{stage} never began"
        time.sleep(0.02)
    happen()
    printed, _ = process.communicate(timeout=600)
    assert process.returncode == 0, printed
    return printed


def test_the_s3_server_answers_500_for_a_minute(stack: Stack, clone: Project) -> None:
    before = set(stack.s3.keys("dvc/files"))

    def happen() -> None:
        stack.s3.is_ill, stack.s3.refused = True, 0
        time.sleep(60)
        stack.s3.is_ill = False

    printed = in_the_middle(clone, "s3-ill", "dpo", happen, "--set", f"{SETTING}=0.31")
    assert stack.s3.refused
    assert "dpo is not on the DVC remote yet, which is tried again meanwhile" in printed
    assert "dpo is on the DVC remote now" in printed
    assert "pushed to Git remote origin and DVC remote s3" in printed
    assert set(stack.s3.keys("dvc/files")) > before
    other = stack.clone("after-s3")
    printed = other.run("dpo", "elsewhere", "--set", f"{SETTING}=0.31")
    assert other.found("elsewhere").made == {}
    assert "dpo is restored: nothing changed, run s3-ill made it" in printed


def test_postgres_is_away_for_half_a_minute(stack: Stack, clone: Project) -> None:
    def happen() -> None:
        stack.postgres.stop()
        time.sleep(30)
        stack.postgres.start()

    in_the_middle(clone, "no-postgres", "dpo", happen, "--set", f"{SETTING}=0.32")
    run = clone.found("no-postgres")
    assert list(run.made) == ["dpo", "eval_dpo"]
    assert stack.ended(run.trailers["Prefect-Flow-Run"])["name"] == "no-postgres"
    assert shown(stack, "no-postgres") == set(run.stages)


def test_mlflow_is_away_for_a_whole_stage(stack: Stack, clone: Project) -> None:
    log = clone.path / ".stemma" / "logs" / "no-mlflow" / "eval_dpo.log"

    def happen() -> None:
        stack.mlflow.kill()
        while not log.exists():
            time.sleep(0.05)
        time.sleep(LONGER_THAN_A_CLIENT_TRIES)
        stack.mlflow.start()

    printed = in_the_middle(clone, "no-mlflow", "dpo", happen, "--set", f"{SETTING}=0.33")
    assert "does not answer; the run goes on unseen by it" in printed
    assert "MLflow answers again; what it had missed is filled in" in printed
    assert shown(stack, "no-mlflow") == set(clone.found("no-mlflow").stages)


def test_a_clock_that_is_years_slow(clone: Project) -> None:
    """The same bytes, and the record stays readable."""
    library = next(Path("/usr/lib").rglob("libfaketime.so.1"), None)
    if library is None:
        pytest.skip("apt-get install faketime")
    slow = Project(
        clone.path, {**clone.environment, "LD_PRELOAD": str(library), "FAKETIME": "-700d", "FAKETIME_NO_CACHE": "1"}
    )
    slow.run("dpo", "slow-clock", "--set", "eval.samples=2")
    true = clone.run("dpo", "true-clock", "--set", "eval.samples=2")
    assert "eval_dpo is restored: nothing changed, run slow-clock made it" in true
    assert ids(clone.found("slow-clock").lock) == ids(clone.found("true-clock").lock)
    assert clone.found("slow-clock").created.year < clone.found("true-clock").created.year
    listed = clone.output(sys.executable, "-m", "stemma", "runs")
    assert "slow-clock" in listed


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1100m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_the_disk_fills_up_in_the_middle(clone: Project, small_disk: Path) -> None:
    shutil.copytree(clone.path, small_disk / "clone", symlinks=True)
    full = Project(small_disk / "clone", clone.environment)
    ballast = small_disk / "ballast"
    options = ("--set", f"{SETTING}=0.34")
    process = full.start("dpo", "full", *options)
    events = full.path / ".stemma" / "logs" / "full" / "dpo.jsonl"
    while not (events.exists() and '"step"' in events.read_text()):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    subprocess.run(["dd", "if=/dev/zero", f"of={ballast}", "bs=64k"], capture_output=True, check=False)
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 2, printed
    assert "the disk is full; free some space and run again, finished work is kept" in printed, printed
    assert "Traceback" not in printed, printed
    ballast.unlink()
    full.run("dpo", "full", *options)
    assert list(full.found("full").made) == ["dpo", "eval_dpo"]


def shown(stack: Stack, name: str) -> set[str]:
    """The stages of a run that MLflow shows as finished."""
    client = MlflowClient(stack.mlflow_url)
    experiment = client.get_experiment_by_name("stemma")
    assert experiment is not None
    (parent,) = client.search_runs([experiment.experiment_id], f"attributes.run_name = '{name}'")
    assert parent.info.status == "FINISHED"
    children = client.search_runs([experiment.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    return {child.data.tags["stemma.stage"] for child in children if child.info.status == "FINISHED"}
