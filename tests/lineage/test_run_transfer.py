"""A run is pushed whole to the remotes that the project has now, and what is said of it is true."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from stemma.errors import ArtifactError, WorkspaceError
from stemma.lineage.forgotten import Tombstones
from stemma.lineage.git import Git
from stemma.lineage.run_transfer import pull_run, push_run
from stemma.lineage.runs import Run, find_run, run_message
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


def commit_again(whole: WholeProject, run: Run, facts: Mapping[str, str]) -> Run:
    """Save the run's files under its name once more, as another commit with these trailers."""
    git = Git(whole.path)
    message = run_message(run.name, {**run.trailers, **facts})
    commit = git.run("commit-tree", f"{run.commit}^{{tree}}", "-p", run.baseline, "-m", message)
    git.run("update-ref", whole.ref(run.name), commit)
    return find_run(whole.path, run.name)


def on_remote(whole: WholeProject, run: Run) -> str:
    return Git(whole.path).run("ls-remote", "origin", whole.ref(run.name)).partition("\t")[0]


def test_another_run_of_that_name_on_the_remote_is_not_overwritten(whole: WholeProject, run: Run) -> None:
    push_run(whole.path, run)
    second = commit_again(whole, run, {"Dirty": "true"})
    with pytest.raises(WorkspaceError) as error:
        push_run(whole.path, second)
    assert on_remote(whole, run) == run.commit
    assert run.commit[:10] in str(error.value)
    assert second.commit[:10] in str(error.value)
    assert f"`git fetch origin +{whole.ref(run.name)}:{whole.ref(run.name)}`" in str(error.value)


def test_a_run_that_comes_from_the_remotes_commit_is_pushed(whole: WholeProject, run: Run) -> None:
    push_run(whole.path, run)
    git = Git(whole.path)
    message = run_message(run.name, run.trailers)
    commit = git.run("commit-tree", f"{run.commit}^{{tree}}", "-p", run.commit, "-m", message)
    git.run("update-ref", whole.ref(run.name), commit)
    push_run(whole.path, find_run(whole.path, run.name))
    assert on_remote(whole, run) == commit


def test_a_flow_replaces_the_commit_of_another_attempt_of_the_same_flow_run_only(whole: WholeProject, run: Run) -> None:
    first = commit_again(whole, run, {"Prefect-Flow-Run": "f1", "Seconds": "ppo=1.0"})
    push_run(whole.path, first)
    resumed = commit_again(whole, run, {"Prefect-Flow-Run": "f1", "Seconds": "ppo=2.0"})
    with pytest.raises(WorkspaceError, match="has another run of that name"):
        push_run(whole.path, resumed)
    push_run(whole.path, resumed, by_flow=True)
    assert on_remote(whole, run) == resumed.commit
    stranger = commit_again(whole, run, {"Prefect-Flow-Run": "f2"})
    with pytest.raises(WorkspaceError, match="has another run of that name"):
        push_run(whole.path, stranger, by_flow=True)
    assert on_remote(whole, run) == resumed.commit
