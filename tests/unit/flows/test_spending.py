"""The account of a run, over its attempts."""

import json
import time
from pathlib import Path

import pytest

from flows.planning.budget import Cost
from flows.planning.spending import Spending


def at_work(root: Path, *stages: tuple[str, str], ran: bool = True) -> Spending:
    """One attempt, in which each stage takes a moment."""
    spending = Spending(root, "r")
    for stage, key in stages:
        with spending.count(stage, key, 2, lambda: ran, lambda: 0.0):
            time.sleep(0.01)
    return spending


def test_time_adds_up_over_attempts_and_keys(tmp_path: Path) -> None:
    first = at_work(tmp_path, ("sft", "sft-a"), ("ppo", "ppo-a")).total()
    second = at_work(tmp_path, ("sft", "sft-b"), ("ppo", "ppo-a"))
    assert second.total().seconds >= first.seconds + 0.02
    assert second.total().gpu_seconds == pytest.approx(2 * second.total().seconds)
    told = json.loads((tmp_path / ".stemma/spent/r.json").read_text())
    assert second.measured() == {"sft": told["sft-b"]["seconds"], "ppo": told["ppo-a"]["seconds"]}
    assert second.measured()["ppo"] > first.seconds / 2


def test_a_restored_stage_costs_nothing(tmp_path: Path) -> None:
    spending = at_work(tmp_path, ("sft", "sft-a"), ran=False)
    assert spending.total() == Cost()
    assert spending.measured() == {}
    assert not (tmp_path / ".stemma").exists()


def test_a_stage_that_an_earlier_attempt_finished_is_measured_all_the_same(tmp_path: Path) -> None:
    took = at_work(tmp_path, ("sft", "sft-a")).measured()
    assert at_work(tmp_path, ("sft", "sft-a"), ran=False).measured() == took


def test_what_somebody_else_began_was_not_measured(tmp_path: Path) -> None:
    spending = Spending(tmp_path, "r")
    with spending.count("ppo", "ppo-a", 0, lambda: True, lambda: 0.0):
        spending.resumed("ppo")
    assert spending.measured() == {}
    assert spending.total().seconds > 0
    assert at_work(tmp_path, ("ppo", "ppo-a")).measured() == {}


def test_what_this_run_began_is_measured_whole(tmp_path: Path) -> None:
    at_work(tmp_path, ("ppo", "ppo-a"))
    spending = Spending(tmp_path, "r")
    with spending.count("ppo", "ppo-a", 0, lambda: True, lambda: 0.0):
        spending.resumed("ppo")
    assert list(spending.measured()) == ["ppo"]


def test_what_an_unfinished_stage_took_is_known_until_it_has_made_something(tmp_path: Path) -> None:
    spending = at_work(tmp_path, ("ppo", "ppo-a"))
    assert spending.unfinished("ppo") == spending.total().seconds
    assert spending.unfinished("sft") == 0
    spending.made("ppo", 7)
    assert spending.unfinished("ppo") == 0
    assert Spending(tmp_path, "r").total().bytes == 7
    spending.close()
    assert Spending(tmp_path, "r").total() == Cost()


def test_what_a_stage_waited_is_no_time_of_its_own(tmp_path: Path) -> None:
    spending = Spending(tmp_path, "r")
    with spending.count("ppo", "ppo-a", 1, lambda: True, lambda: 3600.0):
        time.sleep(0.01)
    assert spending.measured() == {"ppo": 0}
