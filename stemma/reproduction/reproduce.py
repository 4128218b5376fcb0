"""Reproducing a model: its whole tree is made again from raw data, and every hash is compared."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from stemma.errors import ArtifactError
from stemma.lineage.dvc import LockEntry, Pipeline, StageFailedError
from stemma.lineage.explain import changes, listed
from stemma.lineage.family import Member, family_of
from stemma.lineage.fresh import fresh_worktree
from stemma.lineage.index import Derivation, Index
from stemma.lineage.names import Model
from stemma.lineage.runs import Run, artifact_id
from stemma.lineage.store import Store
from stemma.reproduction.difference import artifact_differences
from stemma.reproduction.packages import package_differences
from stemma.stage.door import WATCHED

LAST_LINES = 15


@dataclass(frozen=True)
class Difference:
    """The first artifact that came out differently."""

    stage: str
    recorded: str
    """DVC id."""
    rebuilt: str
    lines: tuple[str, ...]
    """How they differ."""


@dataclass(frozen=True)
class Reproduction:
    """What came of making a tree again."""

    same: tuple[str, ...]
    """The DVC ids that came out the same, in the order in which they were made."""
    difference: Difference | None


@dataclass(frozen=True)
class Made:
    """One artifact to be made again."""

    run: Run
    derivation: Derivation


def reproduce(root: Path, index: Index, store: Store, model: Model, say: Callable[[str], object]) -> Reproduction:
    """Make a model's whole family again, each run's part at its own commit and settings, with nothing from any cache.

    It stops at the first artifact that differs. Raises ArtifactError where a raw file is gone or a stage fails.
    """
    order = _order(index, model)
    same: list[str] = []
    for run, parts in groupby(order, key=lambda made: made.run):
        say(f"run {run.name}, code {run.baseline[:10]}{' with uncommitted changes' if run.dirty else ''}")
        _say_environment(run, say)
        with fresh_worktree(root, store, run.commit) as path, closing(Pipeline(path)) as pipeline:
            for made in parts:
                difference = _make(pipeline, store, made.derivation, say)
                if difference:
                    return Reproduction(tuple(same), difference)
                same.append(made.derivation.artifact)
    return Reproduction(tuple(same), None)


def page(model: Model, told: Reproduction) -> str:
    """The outcome for people."""
    if told.difference is None:
        count = f"all {len(told.same)} artifacts" if len(told.same) > 1 else "the one artifact"
        return f"{model.title} is reproduced bit for bit: {count} from raw data to {told.same[-1]} came out the same."
    first = told.difference
    head = f"{model.title} is not reproduced. The first artifact that differs is {first.stage}:"
    ids = [f"  recorded {first.recorded}", f"  made now {first.rebuilt}"]
    return "\n".join([head, *ids, *(f"  {line}" for line in first.lines)])


def _order(index: Index, model: Model) -> list[Made]:
    """What to make: run by run, the earlier first, and in each run every artifact after those that it is made from."""
    members = family_of(index, model).members
    order: list[Made] = []
    seen: set[str] = set()

    def visit(member: Member) -> None:
        if member.dvc_id in seen:
            return
        seen.add(member.dvc_id)
        for parent in member.parents:
            visit(members[parent])
        if member.derivation and member.run:
            order.append(Made(member.run, member.derivation))

    visit(members[model.derivation.artifact])
    return sorted(order, key=lambda made: (made.run.created, made.run.commit))


def _make(pipeline: Pipeline, store: Store, recorded: Derivation, say: Callable[[str], object]) -> Difference | None:
    """Make one artifact again and compare it."""
    stage = recorded.stage
    if stage not in pipeline.definitions:
        raise ArtifactError(f"the dvc.yaml of the run's commit has no stage {stage}, so it cannot be made again")
    say(f"  {stage} …")
    began = time.monotonic()
    try:
        pipeline.reproduce(stage)
    except StageFailedError as error:
        raise ArtifactError(f"{stage} could not be made again: {error}{_last_words(pipeline.folder, stage)}") from error
    now = pipeline.locked(stage)
    rebuilt = artifact_id(now)
    differing = _metrics(now, recorded.entry)
    if rebuilt == recorded.artifact and not differing:
        say(f"  {stage} {rebuilt}: the same, {time.monotonic() - began:.0f} s")
        return None
    lines = [*_why(now, recorded.entry)]
    if rebuilt != recorded.artifact:
        lines += artifact_differences(store, recorded.artifact, pipeline.folder / pipeline.definitions[stage].artifact)
    say(f"  {stage} {rebuilt}: differs")
    return Difference(stage, recorded.artifact, rebuilt, (*lines, *differing))


def _why(now: LockEntry, before: LockEntry) -> list[str]:
    """What went into the stage that is not as recorded; nothing where the stage itself is what differs."""
    changed = changes(now, before)
    return [f"it was made from something else: {listed(changed)}"] if changed else []


def _metrics(now: LockEntry, before: LockEntry) -> list[str]:
    """The other outputs that differ: a line each."""
    old, new = ({out["path"]: out["md5"] for out in entry["outs"][1:]} for entry in (before, now))
    return [f"{path}: md5 {old[path]}, now {new.get(path)}" for path in old if old[path] != new.get(path)]


def _last_words(folder: Path, stage: str) -> str:
    log = folder / WATCHED / f"{stage}.log"
    if not log.exists():
        return ""
    tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
    return "\n".join(["", "Its last lines:", *(f"  {line}" for line in tail)])


def _say_environment(run: Run, say: Callable[[str], object]) -> None:
    """Say first where the packages here are not those of the run."""
    name = f"{run.commit}:requirements.txt"
    different = package_differences(run.git.contents([name])[name] or "")
    if different:
        say(f"  {len(different)} packages are not those of the run: {', '.join(different)}")
