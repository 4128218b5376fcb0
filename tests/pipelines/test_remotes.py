"""With a Git and a DVC remote a run is pushed, and a second clone gets the model from them alone."""

from pathlib import Path

from tests.project import Project


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
