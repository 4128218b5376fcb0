"""A run's commit against itself and against the index: message, dvc.lock, dvc.yaml, settings, code and metrics."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from stemma.lineage.dvc import LockEntry
from stemma.lineage.git_objects import read_objects
from stemma.lineage.index import is_data
from stemma.verification.fault import Fault, Kind
from stemma.verification.record import LOCK_FILE, PARAMS_FILE, PIPELINE_FILE, Described, Record
from stemma.verification.subject import Subject

Item = Mapping[str, Any]
"""A dependency or output in dvc.lock."""
Blobs = Mapping[str, bytes | None]
"""What a commit holds, by path; None where it does not."""
Words = tuple[Kind, str, str]
"""What is wrong: its kind, the file, and the words for it."""
MEASURED = ("md5", "size", "nfiles")
"""What dvc.lock tells of a file or folder."""


def check_records(subject: Subject) -> list[Fault]:
    """Check the record of every run that the family comes from."""
    return [fault for record in subject.records.values() for fault in _RecordCheck(subject, record).faults()]


class _RecordCheck:
    """The check of one run's record."""

    def __init__(self, subject: Subject, record: Record) -> None:
        self._subject = subject
        self._record = record
        own = [member for member in subject.members if member.run and member.run.commit == record.run.commit]
        self._members = {member.name: member.dvc_id for member in own}

    def faults(self) -> Iterator[Fault]:
        """What is wrong with it."""
        record = self._record
        if not record.there:
            yield Fault(
                Kind.COMMIT,
                record.run.commit,
                f"Git has no commit {record.run.commit[:10]}, which is the record of run {record.run.name}",
                f"`git fetch {self._remote} 'refs/exps/*:refs/exps/*' 'refs/stemma/*:refs/stemma/*'` brings it, "
                "where the remote has it",
                next(iter(self._members.values()), ""),
            )
            return
        if record.lock is None:
            yield self._fault(Kind.LOCK, LOCK_FILE, "there is none, or it is not readable")
            return
        yield from self._trailers(record.lock)
        stages = [stage for stage in dict.fromkeys([*self._stages(), *self._members]) if stage in record.lock]
        blobs = self._blobs([record.lock[stage] for stage in stages])
        indexed = self._subject.index.of_run(record.run.commit)
        for stage in stages:
            entry = record.lock[stage]
            if stage not in indexed or sorted_deps(indexed[stage].entry) != sorted_deps(entry):
                yield self._index_fault(stage)
            for kind, file, words in self._entry(stage, entry, blobs):
                yield self._fault(kind, file, words, stage)

    @property
    def _remote(self) -> str:
        return self._subject.git_remote or "REMOTE"

    def _stages(self) -> list[str]:
        return self._record.trailers.get("Stages", "").split()

    def _trailers(self, lock: Mapping[str, LockEntry]) -> Iterator[Fault]:
        """What the run's message says it made, against dvc.lock."""
        trailers = self._record.trailers
        for stage in self._stages():
            if stage not in lock:
                yield self._fault(
                    Kind.LOCK, LOCK_FILE, f"stage {stage} is missing, which the run's message names", stage
                )
        for key in ("Made", "Policy"):
            for pair in trailers.get(key, "").split():
                stage, _, made = pair.partition("=")
                locked = artifact_of(lock.get(stage, {}))
                if stage in lock and locked != made:
                    words = f"the artifact of {stage} is {locked or 'missing'}, the run's message says {made}"
                    yield self._fault(Kind.LOCK, LOCK_FILE, words, stage)

    def _entry(self, stage: str, entry: LockEntry, blobs: Blobs) -> Iterator[Words]:
        """What is wrong with one stage of dvc.lock."""
        described = self._record.described.get(stage)
        for words in _against_pipeline(stage, entry, described) if described else ():
            yield Kind.LOCK, LOCK_FILE, words
        for words in _against_settings(stage, entry, self._record.params):
            yield Kind.SETTINGS, PARAMS_FILE, words
        for dep in entry.get("deps", []):
            if is_data(dep["path"]):
                for words in self._data_dep(stage, dep):
                    yield Kind.LOCK, LOCK_FILE, words
        yield from _git_files(stage, entry, blobs)

    def _data_dep(self, stage: str, dep: Item) -> Iterator[str]:
        """An artifact or raw data that a stage was made from, against the stage that made it or the files in Git."""
        lock = self._record.lock or {}
        made: list[Item] = [out for entry in lock.values() for out in entry["outs"] if out["path"] == dep["path"]]
        raw, member = self._subject.raw.get(dep["md5"]), self._subject.family.members.get(dep["md5"])
        if not made and member and member.derivation:
            made = [out for out in member.derivation.entry["outs"] if out["md5"] == dep["md5"]]
        if raw:
            made = [{"md5": dep["md5"], "size": sum(file.size for file in raw), "nfiles": len(raw)}]
        elif dep["path"].startswith("artifacts/") and not made:
            yield f"{stage} was made from {dep['path']} {dep['md5']}, which no stage here made"
        for out in made:
            for key in MEASURED if "nfiles" in out and "nfiles" in dep else MEASURED[:1]:
                if dep.get(key) != out[key]:
                    yield f"{stage} was made from {dep['path']} with {key} {dep.get(key)}; what there is has {out[key]}"

    def _blobs(self, entries: list[LockEntry]) -> Blobs:
        """What the commit holds of code and metrics, by path."""
        items = [item for entry in entries for item in (*entry.get("deps", []), *entry.get("outs", []))]
        paths = dict.fromkeys(item["path"] for item in items if not is_data(item["path"]))
        commit = self._record.run.commit
        found = read_objects(self._subject.root, [f"{commit}:{path}" for path in paths])
        return {path: found[f"{commit}:{path}"] for path in paths}

    def _fault(self, kind: Kind, file: str, words: str, stage: str = "") -> Fault:
        record = self._record
        artifact = self._members.get(stage) or artifact_of((record.lock or {}).get(stage, {}))
        remedy = (
            f"the commit is not what the run wrote: `dvc exp pull --force {self._remote} {record.run.name}` takes the "
            f"Git remote's; where that is no better, `dvc exp remove {record.run.name}` and run again"
        )
        return Fault(kind, f"{record.place}: {file}", words, remedy, artifact)

    def _index_fault(self, stage: str) -> Fault:
        file = self._subject.root / ".stemma" / "index.db"
        words = f"the index tells of {stage} otherwise than dvc.lock in {self._record.place}"
        return Fault(
            Kind.INDEX, str(file), words, f"`rm {file}`; it is made again from Git", self._members.get(stage, "")
        )


def sorted_deps(entry: LockEntry) -> LockEntry:
    """An entry with its dependencies in the order of their paths: their order means nothing."""
    return {**entry, "deps": sorted(entry.get("deps", []), key=lambda dep: str(dep["path"]))}


def artifact_of(entry: LockEntry) -> str:
    """The DVC id of the artifact that an entry tells of; empty where it tells of none."""
    outs = [out for out in entry.get("outs", []) if out["path"].startswith("artifacts/")]
    return str(outs[0].get("md5", "")) if outs else ""


def _against_pipeline(stage: str, entry: LockEntry, described: Described) -> Iterator[str]:
    """A stage of dvc.lock against dvc.yaml: one that DVC wrote has just what dvc.yaml names."""
    if "${" not in described.cmd and entry.get("cmd") != described.cmd:
        yield f"{stage} ran `{entry.get('cmd')}`, {PIPELINE_FILE} says `{described.cmd}`"
    for what, have, want in (
        ("dependencies", {dep["path"] for dep in entry.get("deps", [])}, described.deps),
        ("outputs", {out["path"] for out in entry.get("outs", [])}, described.outs),
        ("settings", set(entry.get("params", {}).get(PARAMS_FILE, {})), described.params),
    ):
        if have != want:
            differing = ", ".join(sorted(have ^ want))
            yield f"{stage} has other {what} than {PIPELINE_FILE} names: {differing}"


def _git_files(stage: str, entry: LockEntry, blobs: Blobs) -> Iterator[Words]:
    """Code and metrics, which Git holds."""
    for kind, items in ((Kind.CODE, entry.get("deps", [])), (Kind.METRICS, entry.get("outs", []))):
        for item in items:
            if not is_data(item["path"]):
                for words in _against_blob(stage, item, blobs[item["path"]]):
                    yield kind, item["path"], words


def _against_blob(stage: str, item: Item, blob: bytes | None) -> Iterator[str]:
    if blob is None:
        yield f"the commit does not hold it, and dvc.lock names it under {stage}"
        return
    there = {"md5": hashlib.md5(blob, usedforsecurity=False).hexdigest(), "size": len(blob)}
    for key, value in there.items():
        if key in item and item[key] != value:
            yield f"the commit holds it with {key} {value}, dvc.lock says {item[key]} under {stage}"


def _against_settings(stage: str, entry: LockEntry, params: Mapping[str, Any]) -> Iterator[str]:
    for key, value in entry.get("params", {}).get(PARAMS_FILE, {}).items():
        there: Any = params
        for part in key.split("."):
            there = there.get(part) if isinstance(there, Mapping) else None
        if there != value:
            yield f"{key} is {there!r}, dvc.lock says {value!r} under {stage}"
