"""A finished run, pushed and pulled whole: commit and versions through the Git remote, bytes through the DVC remote.

DVC's own `dvc exp push` and `dvc exp pull` read a run's remotes from the run's own commit. A run that began before
there was a remote names none, and DVC then moves no bytes. Here the bytes go to the remote that the project has now,
and each is looked for there afterwards.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stemma.errors import ArtifactError, WorkspaceError
from stemma.lineage.answering import answering
from stemma.lineage.dvc import default_remote
from stemma.lineage.forgotten import taints
from stemma.lineage.git import Git
from stemma.lineage.git_objects import remote_refs
from stemma.lineage.registering import catch_up
from stemma.lineage.registry import Registry, models
from stemma.lineage.runs import FLOW_RUN, Run, read_trailers
from stemma.lineage.sharing import SECONDS_TO_MOVE, hand_on, is_ancestor, shared_through
from stemma.lineage.store import Place, Store
from stemma.lineage.tracked import raw_inputs

THREADS = 16


@dataclass(frozen=True)
class Pushed:
    """What a push found and did."""

    git_remote: str
    dvc_remote: str
    objects: int
    """All that the run names; every one was seen on the DVC remote."""
    sent: int
    """Those of them that were not there before."""

    def words(self) -> str:
        """The same for people."""
        there = f"{self.sent} objects sent, all {self.objects} seen there"
        return f"pushed to Git remote {self.git_remote} and DVC remote {self.dvc_remote}: {there}"


def push_run(root: Path, run: Run, by_flow: bool = False) -> Pushed:
    """Push a run, its artifacts, its raw inputs, its entries in the run-cache and the versions that it registered.

    `by_flow` is for the flow that made the run: it may replace the commit that another attempt of the same flow run
    pushed. Raises WorkspaceError if the project has no remotes, a remote does not take something, the Git remote has
    another run of that name, or an object is in neither the cache nor the remote; ArtifactError if the run holds, or
    descends from, what was forgotten on request.
    """
    git_remote, dvc_remote = shared_through(root), default_remote(root)
    if git_remote is None or dvc_remote is None:
        raise WorkspaceError(
            "there is nowhere to push to: the project needs a Git remote (`git remote add origin URL`) and a default "
            "DVC remote (`dvc remote add --default store URL`)"
        )
    _refuse_tainted(root, run)
    replaced = _replaceable(root, git_remote, run, by_flow)
    with Store(root) as store, answering(f"run {run.name}"):
        objects, sent = _push_bytes(store, run)
        store.push_run_cache(_entries(store, run))
    _push_commit(root, git_remote, run, replaced)
    return Pushed(git_remote, dvc_remote, objects, sent)


def pull_run(root: Path, run: Run) -> int:
    """Copy from the DVC remote what the cache lacks of a run's artifacts and raw inputs; how many objects came.

    Raises WorkspaceError where the project has no DVC remote or it lacks an object, ArtifactError where a copy there is
    damaged.
    """
    with Store(root) as store, answering(f"run {run.name}"):
        if store.remote is None:
            raise WorkspaceError("there is no default DVC remote: `dvc remote add --default store URL`")
        lists = _lists(run)
        files = {oid for artifact in sorted(lists) for oid in _files(store, artifact, run)}
        lacking = _lacking(store.cache, files | lists)
        gone = _lacking(store.remote, lacking)
        if gone:
            raise WorkspaceError(f"{len(gone)} objects of run {run.name}, such as {gone[0]}, {_nowhere(run)}")
        # An artifact's list of files comes last: where the list is, the files are.
        for oid in sorted(lacking, key=lambda oid: oid in lists):
            store.cache.take(oid, store.remote)
    return len(lacking)


def _lists(run: Run) -> set[str]:
    """The ids of a run's artifacts and raw inputs."""
    artifacts = {out["md5"] for out in _outs(run) if out["path"].startswith("artifacts/")}
    return artifacts | set(raw_inputs(run.git, [run.commit])[run.commit].values())


def _refuse_tainted(root: Path, run: Run) -> None:
    tainted = taints(root)
    for out in _outs(run):
        if out["md5"] in tainted:
            raise ArtifactError(f"run {run.name} is not pushed: {out['path']} is tainted: {tainted[out['md5']]}")


def _outs(run: Run) -> list[dict[str, Any]]:
    return [out for stage in run.stages for out in run.lock[stage]["outs"]]


def _push_bytes(store: Store, run: Run) -> tuple[int, int]:
    """Push every object of a run and look for it; how many there are, and how many were sent."""
    cache, remote = store.cache, store.remote
    assert remote is not None  # noqa: S101 -- push_run has looked
    lists = _lists(run)
    files = {oid for artifact in sorted(lists) for oid in _files(store, artifact, run)}
    # Git holds the metrics; a clone that restores a stage from the run-cache takes them from here.
    files |= {out["md5"] for out in _outs(run) if cache.has(out["md5"])} - lists
    lacking = _lacking(remote, files | lists)
    gone = _lacking(cache, lacking)
    if gone:
        raise WorkspaceError(f"{len(gone)} objects of run {run.name}, such as {gone[0]}, {_nowhere(run)}")
    # An artifact's list of files goes last: whoever finds the list finds the files.
    store.push(sorted(files.intersection(lacking)))
    store.push(sorted(set(lacking) - files))
    missing = _lacking(remote, lacking)
    if missing:
        raise WorkspaceError(f"{remote.name} lacks {len(missing)} objects of run {run.name}, such as {missing[0]}")
    return len(files | lists), len(lacking)


def _files(store: Store, artifact: str, run: Run) -> Iterable[str]:
    found = store.files(artifact)
    if found is None:
        raise WorkspaceError(f"artifact {artifact} of run {run.name} {_nowhere(run)}")
    return found.values()


def _nowhere(run: Run) -> str:
    return (
        "is neither in this clone's cache nor on the DVC remote; "
        f"`stemma push {run.name}` in the clone that has it, or make it again: `dvc exp apply {run.name}`, `dvc repro`"
    )


def _lacking(place: Place, oids: Iterable[str]) -> list[str]:
    """Which objects a place does not have; each is looked for, because DVC's own list of a remote may be old."""
    asked = sorted(oids)
    with ThreadPoolExecutor(THREADS) as pool:
        return [oid for oid, there in zip(asked, pool.map(place.has, asked), strict=True) if not there]


def _entries(store: Store, run: Run) -> list[str]:
    """The entries by which another clone restores the run's stages, of those whose outputs the remote has."""
    assert store.remote is not None  # noqa: S101 -- push_run has looked
    entries = [run.lock[stage] for stage in run.stages]
    return [_entry(one) for one in entries if not _lacking(store.remote, (out["md5"] for out in one["outs"]))]


def _entry(locked: Mapping[str, Any]) -> str:
    """The path of a stage's entry in the run-cache, below that folder, as DVC computes it from dvc.lock."""
    from dvc.stage.cache import _get_cache_hash

    key = _get_cache_hash(deepcopy(locked), key=True)  # type: ignore[no-untyped-call]
    return f"{key[:2]}/{key}/{_get_cache_hash(deepcopy(locked))}"  # type: ignore[no-untyped-call]


def _replaceable(root: Path, remote: str, run: Run, by_flow: bool) -> str:
    """The commit that the Git remote has under the run's name, if a push may replace it; empty if there is none.

    Raises WorkspaceError if it is another run's.
    """
    git, ref = Git(root), _experiment_ref(run)
    remote_commit = remote_refs(root, remote, ref).get(ref, "")
    if remote_commit in {"", run.commit}:
        return remote_commit
    git.run("fetch", "--quiet", "--no-tags", remote, ref, timeout=SECONDS_TO_MOVE)
    flow_run = read_trailers(git.run("log", "--max-count=1", "--format=%B", remote_commit)).get(FLOW_RUN)
    same_flow_run = bool(flow_run) and flow_run == run.trailers.get(FLOW_RUN)
    if is_ancestor(git, remote_commit, run.commit) or (by_flow and same_flow_run):
        return remote_commit
    raise WorkspaceError(
        f"Git remote {remote} has another run of that name: {ref} is commit {remote_commit[:10]} there and "
        f"{run.commit[:10]} here, and the run here does not come from the one there. Nothing was pushed. Compare them "
        f"with `git diff {remote_commit[:10]} {run.commit[:10]}`; `git fetch {remote} +{ref}:{ref}` replaces the run "
        f"here, `dvc exp rename {run.name} NEW-NAME` keeps both: push NEW-NAME then"
    )


def _push_commit(root: Path, remote: str, run: Run, replaced: str) -> None:
    """Push a run's experiment, and the chain of each model that it is a version of.

    `replaced` is the commit that the remote has under that name; the push fails if another came in between.
    """
    git, ref = Git(root), _experiment_ref(run)
    lease = f"--force-with-lease={ref}:{replaced}"
    git.run("push", "--quiet", lease, remote, f"{run.commit}:{ref}", timeout=SECONDS_TO_MOVE)
    if remote_refs(root, remote, ref).get(ref) != run.commit:
        raise WorkspaceError(f"Git remote {remote} does not have {ref} as it is here, though it took it")
    for model in models(root):
        registry = Registry(root, model)
        if any(version.commit == run.commit for version in registry.read().versions.values()):
            catch_up(root, registry)
            hand_on(root, registry.ref)


def _experiment_ref(run: Run) -> str:
    return f"refs/exps/{run.baseline[:2]}/{run.baseline[2:]}/{run.name}"
