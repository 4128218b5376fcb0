"""Machines die with `kill -9` in the middle of a run; it ends on another with the bytes of an undisturbed run."""

import time

import pytest

from tests.project import ids
from tests.stack.stack import Stack, Worker

SECONDS = 400


@pytest.fixture(scope="module")
def workers(stack: Stack) -> tuple[Worker, Worker]:
    return stack.add_worker("one"), stack.add_worker("two")


def dies_in(stage: str, run: str, worker: Worker) -> None:
    """Wait until the stage has made its first steps there, and kill the machine."""
    deadline = time.monotonic() + SECONDS
    while not worker.is_in(stage, run, steps=3 if stage in {"sft", "ppo"} else 0):
        assert time.monotonic() < deadline, worker.words()
        time.sleep(0.05)
    if stage in {"sft", "ppo"}:
        time.sleep(3)  # its step checkpoint is on the way
    worker.kill()


def test_a_run_ends_elsewhere_whatever_dies(stack: Stack, workers: tuple[Worker, Worker]) -> None:
    one, two = workers
    one.start()
    stack.deploy(one.clone)
    run = stack.run("rlhf", settings=stack.settings("rlhf"), name="wanderer")
    dies_in("sft", "wanderer", one)
    two.start()
    dies_in("ppo", "wanderer", two)
    one.start()
    dies_in("eval_ppo", "wanderer", one)
    two.start()
    ended = stack.ended(run)
    assert ended["run_count"] == 4
    two.clone.git("fetch", "--quiet", "origin", "refs/exps/*:refs/exps/*")
    wanderer = two.clone.found("wanderer")
    assert wanderer.trailers["Prefect-Flow-Run"] == run
    calm = stack.clone("calm")
    calm.git("remote", "remove", "origin")
    calm.run("rlhf", "calm")
    assert list(calm.found("calm").made) == wanderer.stages
    assert ids(wanderer.lock) == ids(calm.found("calm").lock)
