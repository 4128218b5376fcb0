"""Twenty queued runs on one slot: never two training stages at once on it, all end right, none lost, order kept."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from flows.settings import DpoSettings
from tests.pipelines.test_ui import ask
from tests.project import Project

RUNS = 20
SECONDS = 1800
WITNESS = """
import fcntl
import time


def witnessed(config, stage):
    with open({file!r}, "a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where another stage trains at the same time
        began = time.monotonic()
        metrics = train_dpo(config, stage)
        stream.write(f"{{config.beta}} {{began}} {{time.monotonic()}}\\n")
    return metrics


if __name__ == "__main__":
    run_stage("dpo", DpoConfig, witnessed)
"""

UNMEASURED = """
def unmeasured(config, stage):
    from stemma.evaluation.headline import write_for_dvc
    from stemma.evaluation.report import Report

    write_for_dvc(Path(), Report(tuned="dpo", judge="gold", split="test", prompts=0, samples=1, rows=()), {})
    return {}


if __name__ == "__main__":
    run_stage("eval_dpo", EvalConfig, unmeasured, section="eval")
"""
"""What twenty evaluations would find is of no matter here, and they take as long as the twenty trainings."""


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    return tmp_path / "witness"


@pytest.fixture
def project(new_project: Callable[[str], Project], witness: Path) -> Iterator[Project]:
    """A project in which `dpo` has run before, whose dpo now tells a witness when it trains."""
    project = new_project("queued")
    project.environment["PYTHONPATH"] = str(project.path)
    project.run("dpo", "straight")
    end_with(project.path / "tasks" / "dpo.py", WITNESS.format(file=str(witness)))
    end_with(project.path / "tasks" / "eval.py", UNMEASURED)
    project.output(sys.executable, "-m", "stemma", "deploy")
    yield project
    project.output(sys.executable, "-m", "stemma", "down")


def end_with(task: Path, door: str) -> None:
    """Give a task another door."""
    before, mark, _ = task.read_text().partition('if __name__ == "__main__":')
    assert mark
    task.write_text(before + door)


def ended(api: str, runs: list[str]) -> list[str]:
    """The states in which the runs have ended, in their order; a server that is too busy to answer is asked again."""
    deadline, states = time.monotonic() + SECONDS, dict.fromkeys(runs, "")
    while not set(states.values()) <= {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}:
        assert time.monotonic() < deadline, states
        time.sleep(2)
        with suppress(OSError):
            found = ask(f"{api}/flow_runs/filter", {"flow_runs": {"id": {"any_": runs}}})
            states.update({run["id"]: run["state"]["type"] for run in found})
    return list(states.values())


def queue(api: str, settings: dict[str, Any], name: str) -> str:
    offered = ask(f"{api}/deployments/name/dpo/dpo")
    body = {"parameters": {"settings": settings, "name": name}}
    return str(ask(f"{api}/deployments/{offered['id']}/create_flow_run", body)["id"])


def test_twenty_queued_runs_on_one_slot(project: Project, prefect_api: str, witness: Path) -> None:
    params = project.found("straight").params
    settings = {key: value for key, value in params.items() if key in DpoSettings.model_fields}
    betas = [round(params["dpo"]["beta"] + number / 100, 2) for number in range(RUNS)]
    queued = [
        queue(prefect_api, {**settings, "dpo": {**settings["dpo"], "beta": beta}}, f"queued-{number}")
        for number, beta in enumerate(betas)
    ]
    project.output(sys.executable, "-m", "stemma", "up", "--worker", "--pool", "gpu")
    states = ended(prefect_api, queued)
    assert states == ["COMPLETED"] * RUNS
    trained = [tuple(map(float, line.split())) for line in witness.read_text().splitlines()]
    assert [beta for beta, _, _ in trained] == betas
    assert all(ends <= begins for (_, _, ends), (_, begins, _) in pairwise(trained))
    runs = [project.found(f"queued-{number}") for number in range(RUNS)]
    for run, beta, flow_run in zip(runs, betas, queued, strict=True):
        assert run.trailers["Prefect-Flow-Run"] == flow_run
        assert list(run.made) == ["dpo", "eval_dpo"]
        assert run.lock["dpo"]["params"]["params.yaml"]["dpo"]["beta"] == beta
    straight = project.found("straight")
    assert runs[0].lock["dpo"]["outs"] == straight.lock["dpo"]["outs"], "the same settings gave other bytes"
    assert {run.lock["label"]["outs"][0]["md5"] for run in runs} == {straight.lock["label"]["outs"][0]["md5"]}
    assert len({run.lock["dpo"]["outs"][0]["md5"] for run in runs}) == RUNS
