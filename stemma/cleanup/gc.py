"""Cleaning up: what no alias, pin, named commit, run in progress or young run needs goes from cache and remote.

The record stays: experiments, settings, hashes and acts are never touched, only bytes go. `dvc gc` is never called.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stemma.cleanup.copies import remove_unserved_copies, size_of, unserved_copies
from stemma.cleanup.objects import Objects, listed, remove
from stemma.cleanup.protection import Kept, in_flight, protection
from stemma.errors import ArtifactError, WorkspaceError
from stemma.lineage.family import size_text
from stemma.lineage.fetched import check_fetched
from stemma.lineage.forgotten import taints
from stemma.lineage.git import Git
from stemma.lineage.index import Index, is_data
from stemma.lineage.runs import Run
from stemma.lineage.store import Place, Store
from stemma.lineage.tracked import raw_inputs
from stemma.records.counting import counted

RETENTION = timedelta(days=30)


@dataclass(frozen=True)
class Gone:
    """What goes of one run's record."""

    run: Run
    what: tuple[str, ...]
    """Stages and raw inputs that lose bytes; what several runs have stands with the oldest."""
    size: int
    """Bytes."""


@dataclass(frozen=True)
class Sweep:
    """What goes from one place."""

    place: Place
    ids: frozenset[str]
    runs: tuple[Gone, ...]
    loose: int
    """How many of these objects are on no run's record."""
    spared: int
    """How many objects on no run's record stay."""
    size: int
    """Bytes."""


@dataclass(frozen=True)
class Plan:
    """What a clean-up keeps and removes."""

    root: Path
    kept: tuple[Kept, ...]
    sweeps: tuple[Sweep, ...]
    copies: tuple[Path, ...] = ()
    """Folders in serving/ that no alias serves."""


def plan_gc(
    root: Path,
    index: Index,
    store: Store,
    *,
    remote: bool,
    retention: timedelta = RETENTION,
    now: datetime | None = None,
) -> Plan:
    """Find what can go from the cache and, where asked, from the remote; changes nothing.

    Raises ArtifactError where the list of files of something kept is lost or damaged, for then nobody can say which
    objects are its; WorkspaceError where there is no remote, or the Git remote has runs that this clone has not.
    """
    now = now or datetime.now(tz=UTC)
    places = [store.cache]
    if remote:
        check_fetched(root)
        places.append(_remote(store))
    kept = protection(root, index, now, retention)
    needed = _needed(root, index, store, places, kept)
    records = _Records(root, index, Objects(places))
    began = min((datetime.fromtimestamp(path.stat().st_ctime, tz=UTC) for path in in_flight(root)), default=None)
    own = Path(store.cache.path("0" * 32)).is_relative_to(root)
    sweeps = []
    for place in places:
        is_ours = place is store.cache and own
        candidates = listed(place) - needed
        loose = candidates - records.objects
        fresh = {oid for oid in loose if not is_ours or _since(place, oid, now - retention)}
        if is_ours and began:
            fresh |= {oid for oid in candidates if _since(place, oid, began)}
        ids = frozenset(candidates - fresh)
        gone = tuple(records.gone(place, ids))
        sweeps.append(Sweep(place, ids, gone, len(loose & ids), len(loose - ids), sum(map(place.size, ids))))
    return Plan(root, tuple(kept), tuple(sweeps), tuple(unserved_copies(root)))


def carry_out(plan: Plan, store: Store) -> int:
    """Remove what the plan names; returns the bytes freed. Killed half-way, the same command completes it."""
    _, size = remove_unserved_copies(plan.root)
    return size + sum(remove(store, sweep.place, sweep.ids) for sweep in plan.sweeps)


def page(plan: Plan) -> str:
    """The plan for people."""
    kept = [f"  {one.why}" for one in plan.kept] or ["  nothing: there is no alias, no pin, no young run"]
    lines = ["Kept, each with its family back to the raw data:", *kept]
    for sweep in plan.sweeps:
        lines += ["", f"To be removed from {sweep.place.name}:", *map(_gone_line, sweep.runs)]
        lines += [f"  on no run's record: {sweep.loose} objects"] if sweep.loose else []
        lines += [f"  {len(sweep.ids)} objects, {size_text(sweep.size)}"]
        if sweep.spared:
            lines.append(f"  ({sweep.spared} objects on no run's record stay: they are young, or another project's)")
    if plan.copies:
        copies = f"{counted(len(plan.copies), 'copy', 'copies')}, {size_text(size_of(plan.copies))}"
        lines += ["", "From serving/, copies that no alias serves:", f"  {copies}"]
    return "\n".join([*lines, "", "The runs stay on record with code, settings and hashes; only bytes go."])


def _remote(store: Store) -> Place:
    if store.remote is None:
        raise WorkspaceError("there is no DVC remote to clean; leave --remote out, or name one: `dvc remote default`")
    return store.remote


def _gone_line(gone: Gone) -> str:
    return f"  run {gone.run.name}, {gone.run.created:%Y-%m-%d}: {', '.join(gone.what)}  {size_text(gone.size)}"


def _since(place: Place, oid: str, when: datetime) -> bool:
    """Whether an object was written since then, or may have been."""
    written = place.written(oid)
    return written is None or written >= when


def _needed(root: Path, index: Index, store: Store, places: Sequence[Place], kept: Sequence[Kept]) -> set[str]:
    """Every object that must stay."""
    objects, everywhere, forgotten = Objects(places), Objects(store.places()), taints(root)
    needed: set[str] = set()
    for one in kept:
        for oid in one.ids:
            found = objects.of(oid) or (everywhere.of(oid) if one.vital else None)
            if found is None and one.vital and oid not in forgotten and index.of_artifact(oid):
                raise ArtifactError(
                    f"the list of files of {oid}, kept for {one.why}, is neither in the cache nor on a remote, so "
                    "nobody can say which objects are its, and nothing was removed. `stemma verify --repair` gets it "
                    "where it still is; otherwise take the alias or the pin away"
                )
            needed |= found or {oid}
    return needed


class _Records:
    """The objects of each run's record, the oldest run's first."""

    def __init__(self, root: Path, index: Index, objects: Objects) -> None:
        self._runs: list[tuple[Run, dict[str, set[str]]]] = []
        runs = index.runs()[::-1]
        raw = raw_inputs(Git(root), [run.commit for run in runs])
        seen: set[str] = set()
        for run in runs:
            parts: dict[str, set[str]] = {}
            for name, oid in [*_recorded(index, run), *raw[run.commit].items()]:
                if oid not in seen:
                    seen.add(oid)
                    parts.setdefault(name, set()).update(objects.found([oid]))
            self._runs.append((run, parts))
        self.objects = {oid for _, parts in self._runs for found in parts.values() for oid in found}

    def gone(self, place: Place, ids: frozenset[str]) -> Iterator[Gone]:
        """What each run loses where these objects go."""
        left = set(ids)
        for run, parts in self._runs:
            lost = {name: found & left for name, found in parts.items() if found & left}
            size = sum(map(place.size, set().union(*lost.values())))
            left.difference_update(*lost.values())
            if lost:
                yield Gone(run, tuple(lost), size)


def _recorded(index: Index, run: Run) -> list[tuple[str, str]]:
    """The ids of what a run's stages left, then of what they read, each by the stage's name or the input's path."""
    entries = {stage: derivation.entry for stage, derivation in index.of_run(run.commit).items()}
    left = [(stage, out["md5"]) for stage, entry in entries.items() for out in entry["outs"]]
    deps = [dep for entry in entries.values() for dep in entry.get("deps", [])]
    return left + [(dep["path"], dep["md5"]) for dep in deps if is_data(dep["path"])]
