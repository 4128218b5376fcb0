"""`kill -9` in the middle of training stages, then the same command: the same bytes as an undisturbed run.

tests/stages kills the other training stages alone.
"""

from collections.abc import Callable

from tests.project import Project, ids


def test_a_killed_run_ends_with_the_same_lock(new_project: Callable[[str], Project], undisturbed: Project) -> None:
    project = new_project("killed")
    project.kill_in("base", "rlhf", "torn")
    assert "base: resumes from step" in project.kill_in("ppo", "rlhf", "torn")
    last = project.run("rlhf", "torn")
    assert "ppo: resumes from step" in last
    assert not [stage for stage in ("base", "sft", "label", "reward") if f"{stage} runs:" in last]
    assert ids(project.found("torn").lock) == ids(undisturbed.found("calm").lock)
    assert project.found("torn").made == undisturbed.found("calm").made
    project.kill_in("dpo", "dpo", "cut")
    assert "dpo: resumes from step" in project.run("dpo", "cut")
    assert ids(project.found("cut").lock) == ids(undisturbed.found("straight").lock)
    assert not list((project.path / ".stemma" / "workspaces").glob("*/"))
    assert not list((project.path / ".stemma" / "scratch").glob("*/"))
