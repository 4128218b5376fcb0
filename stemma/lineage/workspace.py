"""The workspace of a run: a linked Git worktree with the run's code, settings and raw inputs, sharing the DVC cache."""

import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stemma.config import Values, write_yaml
from stemma.errors import WorkspaceError
from stemma.lineage.dvc import default_remote, run_dvc, share_cache
from stemma.lineage.git import Git
from stemma.lineage.runs import Run
from stemma.lineage.start import Start
from stemma.lineage.tracked import INPUTS
from stemma.lineage.user_files import check_files, take_in
from stemma.stage.definition import PARAMS_FILE
from stemma.stage.locks import lock, try_lock

LEAST_FREE_BYTES = 1 << 30
WORKTREES_LOCK = ".stemma/worktrees.lock"
"""Held, under the project, while Git's list of worktrees changes."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")


@dataclass(frozen=True)
class Workspace:
    """Where one run works."""

    name: str
    root: Path
    path: Path
    commit: str
    """The commit the run starts from."""
    dirty: bool
    """Whether it also takes code that was not committed."""
    logs: Path
    """The stages' logs and events, which outlive the workspace."""
    swept: tuple[str, ...]
    """Runs found dead, whose worktrees were removed when this one began."""


@contextmanager
def open_workspace(root: Path, name: str, start: Start, params: Values, files: Sequence[Path]) -> Iterator[Workspace]:
    """Make the run's worktree, write its settings and take in its raw files; remove the worktree at the end.

    Raises WorkspaceError where the name is unfit or the disk is full; DataError where a raw file cannot be read.
    """
    _check_name(name)
    check_disk(root)
    check_files(files)
    folder = root / ".stemma" / "workspaces"
    with try_lock(folder / f"{name}.lock") as held:
        if not held:
            raise WorkspaceError(f"run {name} is in progress; wait for it, or choose another --name")
        with lock(root / WORKTREES_LOCK):
            swept = sweep(root, own=name)
            workspace = _create(root, folder / name, start, swept)
        try:
            take_in(workspace.path, files)
            write_yaml(workspace.path / PARAMS_FILE, params)
            yield workspace
        finally:
            with lock(root / WORKTREES_LOCK):
                _remove(root, workspace.path)


def sweep(root: Path, own: str) -> tuple[str, ...]:
    """Remove the worktrees of runs that are dead, and return their names; `own` is the run whose lock we hold.

    What they finished is in the DVC cache, what they had begun is in the step checkpoints: nothing is lost.
    """
    dead = []
    for path in sorted((root / ".stemma" / "workspaces").glob("*/")):
        with try_lock(path.with_name(path.name + ".lock")) as held:
            if held or path.name == own:
                _remove(root, path)
                dead.append(path.name)
    return tuple(dead)


def check_unused(runs: Iterable[Run], name: str) -> None:
    """Raise WorkspaceError where a run of that name is on record."""
    if any(run.name == name for run in runs):
        raise WorkspaceError(
            f"run {name} is on record already; choose another --name, or look with `stemma show {name}`. Where it was "
            "killed before its policy was registered, `stemma promote` registers it"
        )


def check_disk(root: Path) -> None:
    """Raise WorkspaceError where too little of the disk is free to begin."""
    free = shutil.disk_usage(root).free
    if free < LEAST_FREE_BYTES:
        raise WorkspaceError(
            f"the disk of {root} has {free / 2**20:.0f} MiB free, and a run needs "
            f"{LEAST_FREE_BYTES / 2**20:.0f} MiB to begin; free some, or move the DVC cache: "
            "`dvc cache dir --local FOLDER`"
        )


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name) or name.endswith(".lock"):
        raise WorkspaceError(f"{name!r} cannot name a run; use letters, digits, '-', '_' and '.' between them")


def _create(root: Path, path: Path, start: Start, swept: tuple[str, ...]) -> Workspace:
    make_worktree(root, path, start)
    logs = root / ".stemma" / "logs" / path.name
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    (path / ".stemma").mkdir(exist_ok=True)
    (path / ".stemma" / "watched").symlink_to(logs)
    return Workspace(path.name, root, path, start.commit, start.dirty, logs, swept)


def pull_raw(workspace: Workspace) -> None:
    """Put the raw inputs in place that a run took in on another machine, from the cache or the remote."""
    tracked = [str(file.relative_to(workspace.path)) for file in (workspace.path / INPUTS).rglob("*.dvc")]
    if tracked:
        run_dvc(workspace.path, "pull" if default_remote(workspace.root) else "checkout", *sorted(tracked))


def make_worktree(root: Path, path: Path, start: Start) -> None:
    """Make a worktree with the code that a run starts from, which shares the project's DVC cache and remotes."""
    git = Git(root)
    git.run("worktree", "add", "--quiet", "--detach", str(path), start.commit)
    if start.tree != git.run("rev-parse", f"{start.commit}^{{tree}}"):
        Git(path).run("read-tree", "-m", "-u", start.commit, start.tree)
    local = root / ".dvc" / "config.local"
    if local.exists():
        shutil.copyfile(local, path / ".dvc" / "config.local")
    share_cache(root, path)


def _remove(root: Path, path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)
    Git(root).run("worktree", "prune")
