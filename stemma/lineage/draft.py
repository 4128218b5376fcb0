"""A folder that is like the workspace of a run, to look at and to throw away: nothing of it stays anywhere."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stemma.config import Values, write_yaml
from stemma.lineage.git import Git
from stemma.lineage.start import Start
from stemma.lineage.user_files import check_files, take_in
from stemma.lineage.workspace import WORKTREES_LOCK, make_worktree
from stemma.stage.definition import PARAMS_FILE
from stemma.stage.locks import lock


@contextmanager
def open_draft(root: Path, start: Start, params: Values, files: Sequence[Path]) -> Iterator[Path]:
    """Make the folder with code, settings and raw files, which are hashed but not taken into the cache.

    Raises DataError where a raw file cannot be read.
    """
    check_files(files)
    with tempfile.TemporaryDirectory(prefix="stemma-draft-") as folder:
        path = Path(folder) / "draft"
        with lock(root / WORKTREES_LOCK):
            make_worktree(root, path, start)
        try:
            take_in(path, files, "--no-commit")
            write_yaml(path / PARAMS_FILE, params)
            yield path
        finally:
            _drop_index(path)
            with lock(root / WORKTREES_LOCK):
                shutil.rmtree(path)
                Git(root).run("worktree", "prune")


def _drop_index(path: Path) -> None:
    """Remove what DVC notes about a folder, outside of it."""
    from dvc.repo import Repo

    with Repo(str(path)) as repo:
        notes = Path(repo.site_cache_dir)
    shutil.rmtree(notes, ignore_errors=True)
