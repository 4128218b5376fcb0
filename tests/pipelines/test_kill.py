"""`kill -9` in the middle of any training stage, then the same command: the same bytes as an undisturbed run."""

from collections.abc import Callable

from tests.project import Project, ids

STAGES = ("base", "reward", "ppo")


def test_a_run_killed_in_every_training_stage_ends_with_the_same_lock(
    new_project: Callable[[str], Project], undisturbed: Project
) -> None:
    project = new_project("killed")
    for stage in STAGES:
        printed = project.kill_in(stage, "rlhf", "torn")
        done = STAGES[: STAGES.index(stage)]
        assert not [finished for finished in done if f"{finished} runs:" in printed and finished != _interrupted(stage)]
    last = project.run("rlhf", "torn")
    assert "ppo: resumes from step" in last
    assert "reward runs:" not in last
    assert ids(project.found("torn").lock) == ids(undisturbed.found("calm").lock)
    project.kill_in("dpo", "dpo", "cut")
    assert "dpo: resumes from step" in project.run("dpo", "cut")
    assert ids(project.found("cut").lock) == ids(undisturbed.found("straight").lock)
    assert not list((project.path / ".stemma" / "workspaces").glob("*/"))
    assert not list((project.path / ".stemma" / "scratch").glob("*/"))


def _interrupted(stage: str) -> str:
    """The stage killed before this one: the next command finishes it first."""
    place = STAGES.index(stage)
    return STAGES[place - 1] if place else ""
