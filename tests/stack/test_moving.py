"""Machines die with `kill -9` in the middle of a run; it ends on another with the bytes of an undisturbed run."""

import time

import pytest

from stemma.config import merged, parse_overrides
from tests.project import ids
from tests.stack.stack import Stack, Worker

SECONDS = 400
LONG = ("sft.epochs=12", "ppo.updates=60")
"""Time for a step checkpoint to be on its way before the stage is done, on a fast machine and a slow remote."""


@pytest.fixture(scope="module")
def workers(stack: Stack) -> tuple[Worker, Worker]:
    return stack.add_worker("one"), stack.add_worker("two")


def dies_in(stage: str, run: str, worker: Worker, stack: Stack) -> None:
    """Kill the machine while the stage is at work there; one that trains has left a step checkpoint on the remote."""
    trains = stage in {"sft", "ppo"}
    deadline = time.monotonic() + SECONDS
    while not (worker.is_in(stage, run) and (not trains or left_steps(stack, stage))):
        assert time.monotonic() < deadline, worker.words()
        time.sleep(0.05)
    worker.kill()


def left_steps(stack: Stack, stage: str) -> bool:
    return any(key.endswith(".whole") for key in stack.s3.keys(f"dvc/steps/{stage}-"))


def test_a_run_ends_elsewhere_whatever_dies(stack: Stack, workers: tuple[Worker, Worker]) -> None:
    one, two = workers
    one.start()
    stack.deploy(one.clone)
    settings = merged(stack.settings("rlhf"), parse_overrides(LONG))
    run = stack.run("rlhf", settings=settings, name="wanderer")
    dies_in("sft", "wanderer", one, stack)
    two.start()
    dies_in("ppo", "wanderer", two, stack)
    one.start()
    dies_in("eval_ppo", "wanderer", one, stack)
    two.start()
    ended = stack.ended(run)
    assert ended["run_count"] == 4
    two.clone.git("fetch", "--quiet", "origin", "refs/exps/*:refs/exps/*")
    wanderer = two.clone.found("wanderer")
    assert wanderer.trailers["Prefect-Flow-Run"] == run
    calm = stack.clone("calm")
    calm.git("remote", "remove", "origin")
    calm.run("rlhf", "calm", *(word for change in LONG for word in ("--set", change)))
    assert list(wanderer.made) == wanderer.stages
    assert calm.found("calm").made == wanderer.made
    assert "took over the step checkpoint that another machine left" in two.words() + one.words()
    assert ids(wanderer.lock) == ids(calm.found("calm").lock)
