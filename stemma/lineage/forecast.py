"""What DVC will do with the stages of a folder: run each, or restore what was made before. Nothing is changed by it.

DVC restores a stage where dvc.lock or its run-cache knows the same command, dependencies and settings, and the outputs
are in the cache. Here the same is asked of stages whose inputs do not stand in the folder yet: their ids are those that
the stages before will bring back, as long as these are restored themselves.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stemma.lineage.dvc import LockEntry, Pipeline
from stemma.stage.definition import ARTIFACTS, DVC_FILE


@dataclass(frozen=True)
class Forecast:
    """What will become of one stage."""

    stage: str
    runs: bool
    """False where DVC restores it."""
    entry: LockEntry
    """Its command, dependencies and settings, as dvc.lock will have them; an id is None where it is not known yet."""
    unknown: tuple[str, ...]
    """The inputs whose bytes nobody knows yet, because they are made or taken in before it comes."""
    artifact: str | None
    """DVC id of what it restores, or makes again byte for byte; None where that is not known."""


def forecast(pipeline: Pipeline, stages: Sequence[str], unknown: Collection[str]) -> list[Forecast]:
    """Foresee each stage, in the order in which they come.

    `unknown` are paths of inputs that are taken in later, such as people's verdicts.
    """
    from dvc.repo import Repo

    told: dict[str, Forecast] = {}
    with chdir(pipeline.folder), Repo(str(pipeline.folder)) as repo:
        for stage in stages:
            known = dict.fromkeys(unknown) | {f"{ARTIFACTS}/{name}": one.artifact for name, one in told.items()}
            loaded = repo.stage.load_one(DVC_FILE.name, pipeline.definitions[stage].address)
            told[stage] = _foreseen(repo, stage, loaded, known)
    return list(told.values())


def _foreseen(repo: Any, stage: str, loaded: Any, known: Mapping[str, str | None]) -> Forecast:
    locked = _entry(loaded) if all(out.hash_info for out in loaded.outs) else None
    loaded.save_deps(allow_missing=True)
    _expect(loaded, known)
    entry = _entry(loaded)
    unknown = tuple(dep["path"] for dep in entry["deps"] if known.get(dep["path"], "") is None)
    if unknown:
        return Forecast(stage, True, entry, unknown, None)
    for candidate in _candidates(repo, loaded, entry, locked):
        cached = repo.stage_cache._create_stage(candidate, wdir=loaded.wdir)  # noqa: SLF001 -- as DVC itself restores
        artifact = next(out["md5"] for out in candidate["outs"] if out["path"].startswith(f"{ARTIFACTS}/"))
        return Forecast(stage, not cached.outs_cached(), entry, (), artifact)
    return Forecast(stage, True, entry, (), None)


def _expect(loaded: Any, known: Mapping[str, str | None]) -> None:
    """Give a stage's inputs the ids that the stages before it will leave."""
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.meta import Meta

    for dep in loaded.deps:
        if dep.def_path in known:
            dep.hash_info, dep.meta = HashInfo("md5", known[dep.def_path]), Meta()


def _candidates(repo: Any, loaded: Any, entry: LockEntry, locked: LockEntry | None) -> Iterator[LockEntry]:
    """What DVC would look at, the first first: dvc.lock, then the newest entry of the run-cache."""
    if locked and not loaded.changed_stage() and _ids(locked) == _ids(entry):
        yield locked
    key = _key(loaded)
    folder = Path(repo.stage_cache.cache_dir, key[:2], key)
    newest = max(folder.glob("*"), key=lambda file: file.stat().st_mtime, default=None)
    found = repo.stage_cache._load_cache(key, newest.name) if newest else None  # noqa: SLF001
    if found:
        yield found


def _entry(loaded: Any) -> LockEntry:
    from dvc.stage.serialize import to_single_stage_lockfile

    entry: LockEntry = to_single_stage_lockfile(loaded)
    return {**entry, "deps": [{**dep, "md5": dep.get("md5")} for dep in entry.get("deps", [])]}


def _key(loaded: Any) -> str:
    """The name of a stage's folder in the run-cache: a hash of command, dependencies, settings and outputs' paths."""
    from dvc.stage.cache import _get_cache_hash
    from dvc.stage.serialize import to_single_stage_lockfile

    key: str = _get_cache_hash(to_single_stage_lockfile(loaded), key=True)  # type: ignore[no-untyped-call]
    return key


def _ids(entry: LockEntry) -> object:
    return {dep["path"]: dep["md5"] for dep in entry["deps"]}, entry.get("params")
