"""What dead runs left is removed: worktrees at once, step checkpoints when they are old; never one that is in use."""

import os
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stemma.cleanup.leftovers import KEPT_FOR, sweep_leftovers, sweep_remote
from stemma.lineage.dvc import run_dvc
from stemma.lineage.git import Git
from stemma.lineage.remote_steps import RemoteSteps
from stemma.stage.definition import read_definition, scratch_name
from stemma.stage.locks import lock, try_lock
from stemma.stage.steps import MARK
from tests.family import FamilyProject

OLD = "ppo-0123456789abcdef"
LATER = datetime.now(tz=UTC) + KEPT_FOR + timedelta(days=1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return FamilyProject(tmp_path / "project").path


def scratch(root: Path, name: str, when: datetime | None = None) -> Path:
    """A scratch folder with a step checkpoint, and the locks beside it."""
    folder = root / ".stemma" / "scratch" / name
    (folder / "steps" / "checkpoint-3").mkdir(parents=True)
    (folder / "steps" / "checkpoint-3" / MARK).touch()
    for ending in (".lock", ".flow.lock"):
        folder.with_name(f"{name}{ending}").touch()
    if when:
        for path in [*folder.rglob("*"), *folder.parent.glob(f"{name}*")]:
            os.utime(path, (when.timestamp(), when.timestamp()))
    return folder


def test_old_step_checkpoints_go_and_young_ones_stay(root: Path) -> None:
    old, young = scratch(root, OLD, datetime.now(tz=UTC) - KEPT_FOR - timedelta(hours=1)), scratch(root, "sft-01234567")
    swept = sweep_leftovers(root)
    assert swept.scratch == (OLD,)
    assert swept.words() == [f"removed step checkpoints older than 14 days: {OLD}"]
    assert not list(old.parent.glob(f"{OLD}*"))
    assert len(list(young.parent.glob(f"{young.name}*"))) == 3
    assert sweep_leftovers(root).words() == []


@pytest.mark.parametrize("ending", [".lock", ".flow.lock"])
def test_what_is_in_use_stays_however_old(root: Path, ending: str) -> None:
    folder = scratch(root, OLD)
    with lock(folder.with_name(f"{OLD}{ending}")):
        assert sweep_leftovers(root, LATER).scratch == ()
    assert (folder / "steps" / "checkpoint-3" / MARK).exists()
    assert sweep_leftovers(root, LATER).scratch == (OLD,)


def workspace(root: Path, name: str) -> Path:
    path = root / ".stemma" / "workspaces" / name
    Git(root).run("worktree", "add", "--quiet", "--detach", str(path))
    (path / "dvc.yaml").write_text("stages: {ppo: {cmd: python -m tasks.ppo, params: [seed], outs: [artifacts/ppo]}}\n")
    (path / "params.yaml").write_text("seed: 0\n")
    return path


def test_what_a_run_in_progress_will_come_to_stays(root: Path) -> None:
    path = workspace(root, "busy")
    wanted = scratch(root, scratch_name(path, read_definition(path, "ppo")))
    with lock(path.with_name("busy.lock")):
        assert sweep_leftovers(root, LATER).words() == []
    assert wanted.exists()
    swept = sweep_leftovers(root, LATER)
    assert (swept.runs, swept.scratch) == (("busy",), (wanted.name,))
    assert not path.exists()
    assert len(Git(root).run("worktree", "list").splitlines()) == 1


def test_whoever_waited_for_a_removed_lock_holds_the_new_one(tmp_path: Path) -> None:
    """Two that both hold a lock, one on the removed file and one on the new, would be at work at once."""
    file = tmp_path / "lock"
    begins, holds, ends = os.pipe(), os.pipe(), os.pipe()
    child = os.fork()  # before the lock is taken: it would be the child's as well
    if child == 0:
        os.read(begins[0], 1)
        with lock(file):
            os.write(holds[1], b"x")
            os.read(ends[0], 1)
        os._exit(0)
    with lock(file):
        os.write(begins[1], b"x")
        while f"-> FLOCK  ADVISORY  WRITE {child} " not in Path("/proc/locks").read_text():
            os.sched_yield()
        file.unlink()
    os.read(holds[0], 1)
    with try_lock(file) as held:
        os.write(ends[1], b"x")
        os.waitpid(child, 0)
        assert not held


def test_the_remote_keeps_step_checkpoints_as_long(root: Path, tmp_path: Path) -> None:
    assert sweep_remote(root).words() == []
    run_dvc(root, "remote", "add", "--default", "store", str(tmp_path / "store"))
    with closing(RemoteSteps(root)) as steps:
        assert steps.push(scratch(root, OLD))
    assert sweep_remote(root).remote == ()
    assert sweep_remote(root, LATER).words() == [
        f"removed step checkpoints older than 14 days from the DVC remote: {OLD}"
    ]
    with closing(RemoteSteps(root)) as steps:
        assert not steps.pull(tmp_path / "taken")
