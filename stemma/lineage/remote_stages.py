"""What stages made, exchanged through the DVC remote stage by stage, so that no machine repeats another's work.

DVC's own commands for its run-cache copy all of it each time; here one stage's entries are looked up by its key. An
entry is written after the objects it names, so that whoever finds it finds them.
"""

from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stemma.errors import WorkspaceError
from stemma.lineage.answering import answering
from stemma.lineage.dvc import Pipeline
from stemma.lineage.store import Place
from stemma.stage.definition import DVC_FILE


@dataclass(frozen=True)
class Made:
    """What a stage made, as DVC stores it."""

    stage: str
    objects: tuple[str, ...]
    """The ids of its outputs."""
    entries: tuple[str, ...]
    """Its files in the run-cache, below that folder."""


def made_by(pipeline: Pipeline, stage: str) -> Made:
    """What a stage that is up to date has made."""
    from dvc.repo import Repo

    with chdir(pipeline.folder), Repo(str(pipeline.folder)) as repo:
        loaded = repo.stage.load_one(DVC_FILE.name, pipeline.definitions[stage].address)
        runs = Path(repo.stage_cache.cache_dir)
        entries = [file.relative_to(runs).as_posix() for file in sorted((runs / _key(loaded)).glob("*"))]
    objects = tuple(out["md5"] for out in pipeline.locked(stage)["outs"])
    return Made(stage, objects, tuple(entries))


def push(root: Path, made: Made) -> None:
    """Push what a stage made to the default DVC remote, its entry in the run-cache last.

    Raises WorkspaceError where the remote does not take all of it.
    """
    from dvc.repo import Repo
    from dvc_data.hashfile.hash_info import HashInfo

    with Repo(str(root)) as repo, answering(f"stage {made.stage}"):
        cache = Place("the DVC cache", repo.cache.local)
        files = {oid for artifact in made.objects for oid in cache.files(artifact).values()}
        for oids in (files, {oid for oid in made.objects if oid not in files}):  # an artifact's list after its files
            sent = repo.cloud.push([HashInfo("md5", oid) for oid in sorted(oids)])
            if sent.failed:
                raise WorkspaceError(f"the DVC remote did not take {len(sent.failed)} objects of stage {made.stage}")
        remote = _run_cache(repo)
        for entry in made.entries:
            remote.fs.put_file(str(Path(repo.stage_cache.cache_dir, entry)), remote.fs.join(remote.path, "runs", entry))


def fetch(pipeline: Pipeline, stage: str) -> None:
    """Bring into the cache what another machine made for a stage as it is now; DVC then restores it from there.

    Nothing is done where this machine has it, or nobody made it yet. Raises WorkspaceError where the remote does not
    answer.
    """
    from dvc.repo import Repo

    with chdir(pipeline.folder), Repo(str(pipeline.folder)) as repo, answering(f"stage {stage}"):
        loaded = repo.stage.load_one(DVC_FILE.name, pipeline.definitions[stage].address)
        loaded.save_deps()
        cache = repo.stage_cache
        entry = cache._load(loaded) or _fetched_entry(repo, loaded)  # noqa: SLF001 -- DVC has no public lookup of one stage
        if entry is None:
            return
        cached = cache._create_stage(entry, wdir=loaded.wdir)  # noqa: SLF001
        if not cached.outs_cached():
            for odb, objects in cached.get_used_objs().items():
                repo.cloud.pull(objects, odb=odb)


def _fetched_entry(repo: Any, loaded: Any) -> Any:
    """The remote's newest entry for a stage, copied into the run-cache; None where it has none."""
    remote, key = _run_cache(repo), _key(loaded)
    folder = remote.fs.join(remote.path, "runs", key)
    for path in remote.fs.find(folder) if remote.fs.exists(folder) else []:
        target = Path(repo.stage_cache.cache_dir, key, path.rsplit("/", 1)[-1])
        target.parent.mkdir(parents=True, exist_ok=True)
        writing = target.with_name(f".{target.name}.writing")
        remote.fs.get_file(path, str(writing))
        writing.rename(target)
    return repo.stage_cache._load(loaded)  # noqa: SLF001


def _run_cache(repo: Any) -> Any:
    """The object database beside which the remote's run-cache lies."""
    return repo.cloud.get_remote_odb(hash_name="md5-dos2unix")


def _key(loaded: Any) -> str:
    """The folder of a stage's entries below the run-cache."""
    from dvc.stage.cache import _get_stage_hash

    key: str = _get_stage_hash(loaded)  # type: ignore[no-untyped-call]
    return f"{key[:2]}/{key}"
