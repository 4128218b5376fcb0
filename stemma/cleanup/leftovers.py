"""What dead runs left behind on this machine: their worktrees, and step checkpoints that nobody came back for.

Nothing that a process holds a lock on is touched, so it may be called at any time, beside runs at work.
"""

import shutil
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stemma.cleanup.protection import in_flight
from stemma.errors import SettingsError, WorkspaceError
from stemma.lineage.dvc import default_remote
from stemma.lineage.remote_steps import RemoteSteps
from stemma.lineage.workspace import WORKTREES_LOCK, sweep
from stemma.stage.definition import read_definitions, scratch_name
from stemma.stage.locks import lock, try_lock

KEPT_FOR = timedelta(days=14)
"""How long the step checkpoints of an unfinished stage wait for a run that goes on from them."""
LOCKS = (".flow.lock", ".lock")
"""How the names of a scratch folder's locks end: in the order in which a run takes them."""


@dataclass(frozen=True)
class Leftovers:
    """What was removed."""

    runs: tuple[str, ...]
    """Dead runs whose worktrees are gone; what they had finished or begun is kept."""
    scratch: tuple[str, ...]
    """Scratch folders of stages, each named after its stage and key."""
    remote: tuple[str, ...] = ()
    """The same on the DVC remote."""

    def words(self) -> list[str]:
        """What a person is told; nothing where nothing was removed."""
        days = f"older than {KEPT_FOR.days} days"
        told = (
            ("removed the worktrees of dead runs", self.runs),
            (f"removed step checkpoints {days}", self.scratch),
            (f"removed step checkpoints {days} from the DVC remote", self.remote),
        )
        return [f"{what}: {', '.join(names)}" for what, names in told if names]


def sweep_leftovers(root: Path, now: datetime | None = None) -> Leftovers:
    """Remove what is left over in a project on this machine."""
    with lock(root / WORKTREES_LOCK):
        runs = sweep(root, own="")
    return Leftovers(runs, tuple(_sweep_scratch(root, (now or datetime.now(tz=UTC)) - KEPT_FOR)))


def sweep_remote(root: Path, now: datetime | None = None) -> Leftovers:
    """Remove old step checkpoints from the DVC remote, where there is one; a stage at work sends newer ones.

    Raises WorkspaceError where the remote does not answer.
    """
    if default_remote(root) is None:
        return Leftovers((), ())
    with closing(RemoteSteps(root)) as steps:
        old = steps.older_than((now or datetime.now(tz=UTC)) - KEPT_FOR)
        for name in old:
            steps.drop(name)
    return Leftovers((), (), tuple(old))


def _sweep_scratch(root: Path, before: datetime) -> Iterator[str]:
    folder = root / ".stemma" / "scratch"
    wanted = set(_wanted(root))
    for name in sorted({path.name.partition(".")[0] for path in folder.glob("*")} - wanted):
        if _last_written(folder, name) < before.timestamp() and _remove(folder, name):
            yield name


def _wanted(root: Path) -> Iterator[str]:
    """The scratch folders that runs in progress may come to."""
    for workspace in in_flight(root):
        with suppress(SettingsError, WorkspaceError, OSError):  # it is being made, or removed, this moment
            for definition in read_definitions(workspace).values():
                yield scratch_name(workspace, definition)


def _last_written(folder: Path, name: str) -> float:
    """When anything of that name was last written, in seconds of the clock."""
    found = [*folder.glob(f"{name}*"), *(folder / name).rglob("*")]
    times = []
    for path in found:
        with suppress(FileNotFoundError):
            times.append(path.stat().st_mtime)
    return max(times, default=float("inf"))


def _remove(folder: Path, name: str) -> bool:
    """Remove a scratch folder with all that lies beside it, unless somebody is at work there; whether it was."""
    flow, stage = (folder / f"{name}{ending}" for ending in LOCKS)
    with try_lock(flow) as ours, try_lock(stage) as ours_too:
        if not (ours and ours_too):
            return False
        for path in folder.glob(f"{name}*"):
            if path.is_dir():
                shutil.rmtree(path)
        for file in (stage, flow):
            file.unlink()
    return True
