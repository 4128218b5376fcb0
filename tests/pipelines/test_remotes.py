"""With a Git and a DVC remote a run is pushed, and a second clone gets the model from them alone."""

from collections.abc import Callable
from pathlib import Path

from tests.project import Project, ids


def test_a_second_clone_gets_the_model(undisturbed: Project, tmp_path: Path) -> None:
    bare, store, clone = tmp_path / "bare.git", tmp_path / "store", tmp_path / "clone"
    undisturbed.git("clone", "--quiet", "--bare", ".", str(bare))
    undisturbed.git("remote", "add", "origin", str(bare))
    undisturbed.dvc("remote", "add", "--default", "--local", "store", str(store))
    try:
        printed = undisturbed.run("dpo", "shipped")
    finally:
        undisturbed.git("remote", "remove", "origin")
        undisturbed.dvc("remote", "remove", "--local", "store")
    assert "pushed to Git remote origin and DVC remote store" in printed
    undisturbed.git("clone", "--quiet", str(bare), str(clone))
    other = Project(clone, undisturbed.environment)
    other.dvc("remote", "add", "--default", "--local", "store", str(store))
    other.dvc("exp", "pull", "origin", "shipped")
    other.dvc("exp", "apply", "shipped")
    other.dvc("pull")
    assert "up to date" in other.dvc("status")
    model = clone / "artifacts" / "dpo" / "model.safetensors"
    assert model.is_file()
    assert other.found("shipped").lock == undisturbed.found("straight").lock


def test_a_second_clone_repeats_no_stage_that_the_first_has_done(
    new_project: Callable[[str], Project], undisturbed: Project, tmp_path: Path
) -> None:
    """The stages come from the remotes one by one, long before the first machine's run has ended."""
    bare, store = tmp_path / "bare.git", tmp_path / "store"
    first = new_project("first")
    first.git("clone", "--quiet", "--bare", ".", str(bare))
    first.git("remote", "add", "origin", str(bare))
    first.git("clone", "--quiet", str(bare), str(tmp_path / "second"))
    second = Project(tmp_path / "second", first.environment)
    for clone in (first, second):
        clone.dvc("remote", "add", "--default", "--local", "store", str(store))
    first.kill_in("reward", "rlhf", "torn")
    printed = second.run("rlhf", "whole")
    assert list(second.found("whole").made) == ["reward", "ppo", "eval_ppo"]
    assert "sft is restored: nothing changed" in printed
    assert ids(second.found("whole").lock) == ids(undisturbed.found("calm").lock)
    assert "whole" not in first.git("for-each-ref", "refs/exps")
    assert "reward is restored: nothing changed, run whole made it" in first.run("rlhf", "torn")
