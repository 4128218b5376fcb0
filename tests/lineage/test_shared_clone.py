"""What a worker's run hears of a shared project in its clone: the newest code, and what other clones did."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prefect.logging import disable_run_logger

from flows.reproduce import reproduce
from stemma.errors import ArtifactError
from stemma.lineage.git import Git
from stemma.lineage.registry import Registry
from stemma.lineage.sharing import SilentRemoteError
from stemma.lineage.start import start_of_worker
from tests.family import FamilyProject, Made

SLOW_TO_MOVE_REFS = '#!/bin/sh\nif [ "$1" = prepared ]; then sleep 0.5; fi\n'
"""As the hook reference-transaction: whoever else moves a ref meanwhile finds it locked."""


@pytest.fixture
def desk(tmp_path: Path) -> FamilyProject:
    """A project that is shared through a bare repository beside it."""
    project, bare = FamilyProject(tmp_path / "desk"), tmp_path / "bare.git"
    remote = ["dvc", "remote", "add", "--quiet", "--default", "store", str(tmp_path / "store")]
    subprocess.run(remote, cwd=project.path, check=True)
    project.git.run("commit", "--quiet", "--all", "--message", "a DVC remote")
    project.git.run("init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    project.git.run("remote", "add", "origin", str(bare))
    project.git.run("push", "--quiet", "origin", "main")
    return project


@pytest.fixture
def clone(desk: FamilyProject, tmp_path: Path) -> Git:
    """A worker's clone."""
    desk.git.run("clone", "--quiet", str(tmp_path / "bare.git"), str(tmp_path / "clone"))
    return Git(tmp_path / "clone")


def push(desk: FamilyProject) -> str:
    """The commit that was pushed."""
    desk.git.run("commit", "--quiet", "--allow-empty", "--message", "newer")
    desk.git.run("push", "--quiet", "origin", "main")
    return desk.git.head()


def test_runs_that_start_together_start_from_what_was_pushed(desk: FamilyProject, clone: Git) -> None:
    hook = clone.root / ".git" / "hooks" / "reference-transaction"
    hook.write_text(SLOW_TO_MOVE_REFS)
    hook.chmod(0o755)
    pushed = push(desk)
    with ThreadPoolExecutor(4) as runs:
        starts = list(runs.map(start_of_worker, [clone.root] * 4))
    assert [(start.commit, start.unheard) for start in starts] == [(pushed, "")] * 4


def test_a_remote_that_does_not_answer_is_told(desk: FamilyProject, clone: Git, tmp_path: Path) -> None:
    before = clone.head()
    push(desk)
    (tmp_path / "bare.git").rename(tmp_path / "away.git")
    start = start_of_worker(clone.root)
    assert start.commit == before
    assert "bare.git" in start.unheard


def test_commits_of_the_clone_alone_are_no_fault(clone: Git) -> None:
    clone.run("-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet", "--allow-empty", "-m", "own")
    start = start_of_worker(clone.root)
    assert (start.commit, start.unheard) == (clone.head(), "")


def test_a_model_that_another_clone_registered_is_made_again(
    desk: FamilyProject, clone: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ppo = desk.put(b"ppo")
    commit = desk.run("elsewhere", [Made("ppo", ppo, 3, {})])
    Registry(desk.path, "policy").register("elsewhere", commit, "ppo", ppo)
    desk.git.run("push", "--quiet", "origin", "refs/exps/*:refs/exps/*", "refs/stemma/*:refs/stemma/*")
    monkeypatch.chdir(clone.root)
    # As far as a run goes that was made up: it is found.
    with disable_run_logger(), pytest.raises(ArtifactError, match="run's commit has no stage ppo"):
        reproduce.fn("policy/1")
    (tmp_path / "bare.git").rename(tmp_path / "away.git")
    with disable_run_logger(), pytest.raises(SilentRemoteError, match="what others did is not known"):
        reproduce.fn("policy/1")
