"""The lines of a run that is not in a terminal: how far a stage is, and that it is at work at all."""

from io import StringIO

import pytest
from rich.console import Console

from flows.display import Display


class Clock:
    """A time that passes when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("flows.display.time.monotonic", clock)
    return clock


def lines(display: Display) -> list[str]:
    file = display._console.file
    assert isinstance(file, StringIO)
    return file.getvalue().splitlines()


def test_a_stage_without_steps_says_every_ten_seconds_that_it_works(clock: Clock) -> None:
    display = Display(Console(file=StringIO(), highlight=False))
    display.begin("sft")
    for _ in range(50):
        display.at_work("sft")
        clock.seconds += 0.5
    assert lines(display) == ["  sft  at work for 10 s", "  sft  at work for 20 s"]


def test_slow_steps_are_told_before_they_have_numbers(clock: Clock) -> None:
    display = Display(Console(file=StringIO(), highlight=False))
    display.begin("sft")
    display.step("sft", 0, 340, {})
    clock.seconds += 12
    display.at_work("sft")
    clock.seconds += 8
    display.step("sft", 1, 340, {})
    clock.seconds += 2
    display.at_work("sft")
    clock.seconds += 18
    display.step("sft", 2, 340, {"loss": 0.5})
    assert lines(display) == [
        "  sft 0/340  at work for 12 s  time left not known yet",
        "  sft 1/340  at work for 22 s  about 1.9 h left",
        "  sft 2/340  loss 0.5  at work for 40 s  about 1.9 h left",
    ]


def test_the_first_step_that_is_seen_tells_no_time(clock: Clock) -> None:
    display = Display(Console(file=StringIO(), highlight=False))
    display.begin("ppo")
    clock.seconds += 10
    display.step("ppo", 1, 50, {"objective/kl": 0.0})
    clock.seconds += 1
    display.step("ppo", 50, 50, {"objective/kl": 2.0})
    display.end_stage()
    display.begin("eval_ppo")
    clock.seconds += 10
    display.at_work("eval_ppo")
    assert lines(display) == [
        "  ppo 1/50  objective/kl 0  at work for 10 s  time left not known yet",
        "  ppo 50/50  objective/kl 2  at work for 11 s",
        "  eval_ppo  at work for 10 s",
    ]
