"""History survives a kill and forgets what a resumed stage will do again."""

import json
import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stemma.errors import TrainingError
from stemma.stage import live_lines
from stemma.stage.live_lines import LiveLines
from stemma.stage.pace import Pace
from stemma.stage.progress import HISTORY, Progress, UnheardProgress


def test_rows_after_the_checkpoint_are_done_again(tmp_path: Path) -> None:
    first = Progress("sft", tmp_path)
    for step in (1, 2, 3):
        first.log(step, 4, {"loss": 1 / step})
    with (tmp_path / "history.jsonl").open("a") as stream:
        stream.write('{"step": 4, "lo')
    second = Progress("sft", tmp_path)
    second.resume_from(2)
    second.log(3, 4, {"loss": 0.5})
    second.write_history(tmp_path)
    assert (tmp_path / HISTORY).read_text() == "step,loss\n1,1.0\n2,0.5\n3,0.5\n"


def test_a_number_that_is_not_finite_stops_the_stage(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"sft diverged: loss is nan at step 7 of 9. Lower sft.learning_rate"):
        Progress("sft", tmp_path).log(7, 9, {"loss": float("nan")})


def test_a_diverged_stage_says_what_is_kept(tmp_path: Path) -> None:
    progress = Progress("sft", tmp_path)
    assert "are the numbers before it and no step checkpoint yet." in str(progress.diverged("loss is nan", 7, 9))
    progress.kept(4)
    told = str(progress.diverged("loss is nan", 7, 9))
    assert f"In {tmp_path} are the numbers before it and the step checkpoint of step 4." in told
    resumed = Progress("sft", tmp_path)
    resumed.resume_from(6)
    assert "the step checkpoint of step 6." in str(resumed.diverged("loss is nan", 7, 9))


def test_without_a_checkpoint_all_is_done_again(tmp_path: Path) -> None:
    first = Progress("ppo", tmp_path)
    for step in (0, 1):
        first.log(step, 4, {"loss": 0.5})
    second = Progress("ppo", tmp_path)
    second.resume_from(0)
    assert second.rows() == []


def test_a_disk_that_fills_up_at_a_resume_costs_no_row(tmp_path: Path) -> None:
    first = Progress("sft", tmp_path)
    for step in (1, 2, 3):
        first.log(step, 4, {"loss": 0.5})
    rows = first.rows()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            Progress("sft", tmp_path).resume_from(2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert Progress("sft", tmp_path).rows() == rows
    assert [path.name for path in tmp_path.iterdir()] == ["history.jsonl"]


def test_no_history_no_file(tmp_path: Path) -> None:
    Progress("data", tmp_path).write_history(tmp_path)
    assert not (tmp_path / HISTORY).exists()


def test_a_flow_sees_events_and_no_lines_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress("sft", tmp_path, tmp_path / "events")
    progress.log(1, 2, {"loss": 0.5})
    progress.say("half way")
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    assert events == [{"step": 1, "total": 2, "metrics": {"loss": 0.5}}, {"say": "half way"}]
    assert capsys.readouterr().out == ""


def test_without_a_flow_plain_lines_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Progress("sft", tmp_path).log(2, 2, {"loss": 0.5})
    assert capsys.readouterr().out == "sft: step 2/2  loss 0.5\n"


def test_before_a_step_is_timed_no_time_is_left_to_tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Progress("sft", tmp_path).log(1, 9, {"loss": 0.5})
    assert capsys.readouterr().out == "sft: step 1/9  loss 0.5  time left not known yet\n"


def test_the_start_of_the_steps_is_told_before_there_are_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Progress("sft", tmp_path).at(0, 9)
    assert capsys.readouterr().out == "sft: step 0/9  time left not known yet\n"
    Progress("sft", tmp_path, tmp_path / "events").at(3, 9)
    assert json.loads((tmp_path / "events").read_text()) == {"at": 3, "total": 9}
    assert not Progress("sft", tmp_path).rows()


def test_the_time_left_is_the_pace_of_the_steps_that_were_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    pace, clock = Pace(), iter([100.0, 104.0, 130.0, 131.0])
    monkeypatch.setattr("stemma.stage.pace.time.monotonic", lambda: next(clock))
    assert pace.left(10, 40) is None
    assert pace.left(12, 40) == pytest.approx(2.0 * 28)  # 2 steps took 4 s
    assert pace.left(5, 40) is None  # it begins again, because the steps went back
    assert pace.left_text(6, 126) == "about 2 min left"


def test_steps_that_begin_again_are_timed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two judges are asked one after the other: the second one's pace is its own."""
    pace, clock = Pace(), iter([0.0, 100.0, 200.0, 201.0])
    monkeypatch.setattr("stemma.stage.pace.time.monotonic", lambda: next(clock))
    lefts = [pace.left(step, 10) for step in (0, 10, 0, 1)]
    assert lefts == [None, 0.0, None, pytest.approx(9.0)]


def test_other_steps_are_timed_anew(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A second judge's 20 answers that were known before say nothing of how fast it answers."""
    now = iter(range(100, 10**6, 100))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(now)))
    lines = LiveLines("ai_label")
    for step in (0, 10):
        lines.at(step, 10)
    capsys.readouterr()
    lines.begin()
    lines.at(20, 100)
    assert capsys.readouterr().out == "ai_label: step 20/100  time left not known yet\n"


def test_a_long_step_is_not_silent(tmp_path: Path, talkative: Callable[[], str]) -> None:
    progress = Progress("sft", tmp_path)
    with progress.never_silent():
        progress.at(2, 9)
        said = talkative()
    assert said.startswith("sft: step 2/9  time left not known yet\nsft: step 2/9  at work for ")
    assert said.count("left") == 1


def test_the_lines_end_with_work_that_fails(talkative: Callable[[], str]) -> None:
    def work() -> None:
        with LiveLines("judge").never_silent():
            assert talkative().startswith("judge: at work for ")
            raise TrainingError("the end")

    threads = threading.active_count()
    with pytest.raises(TrainingError):
        work()
    assert threading.active_count() == threads


def test_the_first_rank_alone_speaks(tmp_path: Path, talkative: Callable[[], str]) -> None:
    progress = UnheardProgress("sft", tmp_path)
    with progress.never_silent(), LiveLines("heard").never_silent():
        progress.at(0, 9)
        progress.say("begins")
        assert "sft" not in talkative()


@pytest.fixture
def talkative(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """No silence is bearable; the function waits until work that goes on was told, and gives all that was printed."""
    monkeypatch.setattr(live_lines, "SECONDS_OF_SILENCE", 0.0)
    monkeypatch.setattr(live_lines, "SECONDS_BETWEEN_CHECKS", 0.01)

    def wait() -> str:
        said, deadline = "", time.monotonic() + 30
        while "at work for" not in said:
            assert time.monotonic() < deadline, said
            time.sleep(0.01)
            said += capsys.readouterr().out
        return said

    return wait


def test_a_flow_says_itself_that_a_stage_is_at_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_lines, "SECONDS_OF_SILENCE", 0.0)
    progress = Progress("sft", tmp_path, tmp_path / "events")
    with progress.never_silent():
        progress.at_work()
    assert capsys.readouterr().out == ""
    assert not (tmp_path / "events").exists()
