"""Two flows at the same time share what they have in common and both end right."""

from stemma.stage.locks import lock
from tests.project import Project


def test_two_flows_at_once(undisturbed: Project) -> None:
    change = ("--set", "sft.learning_rate=9e-4")
    flows = {name: undisturbed.start(name, f"both-{name}", *change) for name in ("rlhf", "dpo")}
    for process in flows.values():
        printed, _ = process.communicate(timeout=300)
        assert process.returncode == 0, printed
    first, second = undisturbed.found("both-rlhf"), undisturbed.found("both-dpo")
    assert first.lock["label"] == second.lock["label"]
    shared = [stage for stage in ("sft", "sample", "label") if (stage in first.made) == (stage in second.made)]
    assert not shared, f"made twice, or by nobody: {shared}"
    assert {"reward", "ppo"} <= set(first.made)
    assert "dpo" in second.made


def test_a_run_that_waits_for_another_says_so_and_keeps_its_name(undisturbed: Project) -> None:
    (held,) = (undisturbed.path / ".stemma" / "scratch").glob("data-*.flow.lock")
    with lock(held):  # as a run does that makes the same data
        first = undisturbed.start("dpo", "busy", "--set", "dpo.beta=0.25")
        assert first.stdout is not None
        assert any("data waits: another run is making the same" in line for line in first.stdout)
        second = undisturbed.run("dpo", "busy", status=2)
    assert "run busy is in progress" in second
    printed, _ = first.communicate(timeout=300)
    assert first.returncode == 0, printed
    log = undisturbed.path / ".stemma" / "logs" / "busy" / "data.log"
    assert not log.exists(), "data was restored, so it left no log"
