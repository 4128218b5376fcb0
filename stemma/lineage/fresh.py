"""A fresh worktree of a run's commit with raw files but an empty cache: whatever stands in it has to be made anew."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stemma.errors import ArtifactError, WorkspaceError
from stemma.lineage.dvc import use_cache
from stemma.lineage.environment import stage_environment
from stemma.lineage.git import Git
from stemma.lineage.raw_files import raw_files
from stemma.lineage.store import Store
from stemma.lineage.tracked import INPUTS
from stemma.lineage.workspace import check_disk, sweep
from stemma.stage.definition import ARTIFACTS, METRICS
from stemma.stage.locks import lock, try_lock


@contextmanager
def fresh_worktree(root: Path, store: Store, commit: str) -> Iterator[Path]:
    """Make the worktree, and remove it at the end; step checkpoints of this project are out of its stages' sight.

    Raises WorkspaceError where somebody is at it already, or the disk is full; ArtifactError where a raw file is
    neither in the cache nor on the remote.
    """
    check_disk(root)
    path = root / ".stemma" / "workspaces" / f"reproduce-{commit[:12]}"
    with try_lock(path.with_name(f"{path.name}.lock")) as held:
        if not held:
            raise WorkspaceError(f"commit {commit[:12]} is being reproduced already, in {path}; wait for that to end")
        with lock(root / ".stemma" / "worktrees.lock"):
            sweep(root, own=path.name)
            Git(root).run("worktree", "add", "--quiet", "--detach", str(path), commit)
        try:
            # `dvc exp save` puts small outputs, such as what plots show, into Git as well.
            Git(path).run("rm", "-r", "--quiet", "--ignore-unmatch", "--", "dvc.lock", *map(str, (ARTIFACTS, METRICS)))
            use_cache(path, path / ".stemma" / "cache")
            _take_raw_files(path, store, commit)
            with stage_environment(path / ".stemma" / "scratch", Git(root).has_identity()):
                yield path
        finally:
            with lock(root / ".stemma" / "worktrees.lock"):
                shutil.rmtree(path)
                Git(root).run("worktree", "prune")


def _take_raw_files(path: Path, store: Store, commit: str) -> None:
    """Put a run's raw files in place as copies, their bytes checked."""
    for file in raw_files(path, commit, INPUTS):
        if file.cached:
            files = store.files(file.md5) or {}
            for name, md5 in (files or {"": file.md5}).items():
                _copy(store, md5, path / INPUTS / file.path / name)


def _copy(store: Store, md5: str, target: Path) -> None:
    place = next((place for place in store.places() if place.has(md5) and place.md5(md5) == md5), None)
    if place is None:
        raise ArtifactError(
            f"raw file {target.name}, object {md5}, is neither in the cache nor on a remote as it was, so what was "
            "made from it cannot be made again; put it back with `dvc fetch`, or from your own copy with `dvc add`"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with place.open(md5) as source, target.open("wb") as copy:
        shutil.copyfileobj(source, copy)
