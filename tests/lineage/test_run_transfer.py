"""A run is pushed whole to the remotes that the project has now, and what is said of it is true."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stemma.errors import ArtifactError, WorkspaceError
from stemma.lineage.forgotten import Tombstones
from stemma.lineage.git import Git
from stemma.lineage.run_transfer import pull_run, push_run
from stemma.lineage.runs import Run, find_run
from tests.whole_family import WholeProject


@pytest.fixture
def whole(tmp_path: Path) -> WholeProject:
    """Two runs whose commits name no DVC remote, and a project with a Git and a DVC remote that hold nothing."""
    made = WholeProject(tmp_path / "project", seed=3)
    for number in range(2):
        made.add(f"run-{number}")
    made.save()
    git, bare = Git(made.path), tmp_path / "origin.git"
    git.run("init", "--quiet", "--bare", str(bare))
    git.run("remote", "add", "origin", str(bare))
    with (made.path / ".dvc" / "config").open("a") as config:
        config.write(f"[core]\n    remote = store\n['remote \"store\"']\n    url = {tmp_path / 'store'}\n")
    return made


@pytest.fixture
def run(whole: WholeProject) -> Run:
    return find_run(whole.path, "run-1")


@pytest.fixture
def place(tmp_path: Path) -> Callable[[str], Path]:
    """Where an object lies on the DVC remote."""
    return lambda oid: tmp_path / "store" / "files" / "md5" / oid[:2] / oid[2:]


def objects(whole: WholeProject, run: Run) -> set[str]:
    made = [out["md5"] for entry in run.lock.values() for out in entry["outs"] if out["path"].startswith("artifacts/")]
    return {oid for artifact in made for oid in whole.objects(artifact).values()}


def test_everything_that_the_run_names_is_there_afterwards(
    whole: WholeProject, run: Run, place: Callable[[str], Path]
) -> None:
    pushed = push_run(whole.path, run)
    assert all(place(oid).is_file() for oid in objects(whole, run))
    assert pushed.sent == pushed.objects >= len(objects(whole, run))
    assert "pushed to Git remote origin and DVC remote store" in pushed.words()
    assert run.commit in Git(whole.path).run("ls-remote", "origin", "refs/exps/*")
    again = push_run(whole.path, run)
    assert (again.sent, again.objects) == (0, pushed.objects)


def test_an_object_that_vanished_from_the_remote_is_sent_again(
    whole: WholeProject, run: Run, place: Callable[[str], Path]
) -> None:
    """DVC's own push takes its list of the remote for the remote."""
    push_run(whole.path, run)
    lost = min(objects(whole, run))
    place(lost).unlink()
    assert push_run(whole.path, run).sent == 1
    assert place(lost).is_file()


def test_what_is_nowhere_is_an_error_and_nothing_is_said_to_be_pushed(whole: WholeProject, run: Run) -> None:
    lost = min(oid for oid in objects(whole, run) if not oid.endswith(".dir"))
    whole.project.place(lost).unlink()
    with pytest.raises(WorkspaceError, match=rf"{lost}.* neither in this clone's cache nor on the DVC remote"):
        push_run(whole.path, run)
    assert not Git(whole.path).run("ls-remote", "origin", "refs/exps/*")


def test_what_was_forgotten_is_not_pushed(whole: WholeProject, run: Run) -> None:
    artifact = run.lock[run.stages[-1]]["outs"][0]["md5"]
    Tombstones(whole.path).add("forget", {"act": "forget"}, {artifact: "a person asked"}, {})
    with pytest.raises(ArtifactError, match="tainted: a person asked"):
        push_run(whole.path, run)


def test_without_a_remote_the_commands_that_add_one_are_named(whole: WholeProject, run: Run) -> None:
    Git(whole.path).run("remote", "remove", "origin")
    with pytest.raises(WorkspaceError, match="git remote add origin URL"):
        push_run(whole.path, run)


def test_a_run_is_pulled_byte_for_byte_and_a_damaged_copy_is_refused(
    whole: WholeProject, run: Run, place: Callable[[str], Path]
) -> None:
    push_run(whole.path, run)
    wanted = objects(whole, run)
    before = {oid: whole.project.place(oid).read_bytes() for oid in wanted}
    for oid in wanted:
        whole.project.place(oid).unlink()
    assert pull_run(whole.path, run) == len(wanted)
    assert {oid: whole.project.place(oid).read_bytes() for oid in wanted} == before
    assert pull_run(whole.path, run) == 0
    bad = min(oid for oid in wanted if not oid.endswith(".dir"))
    whole.project.place(bad).unlink()
    place(bad).chmod(0o644)
    place(bad).write_bytes(b"not what it was")
    with pytest.raises(ArtifactError, match=f"damaged copy of {bad}"):
        pull_run(whole.path, run)
