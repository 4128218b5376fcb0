"""How the index is filled: every run's dvc.lock, read from Git, and only what is new since the last time."""

import hashlib
import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from stemma.lineage.chain import STATE
from stemma.lineage.dvc import LockEntry
from stemma.lineage.git import Git
from stemma.lineage.lock_pieces import read_stage, stage_texts
from stemma.lineage.registry import MODELS
from stemma.lineage.runs import EXPERIMENTS, FLOW, artifact_id, read_trailers

VERSION = 3
"""Of the schema; an index of another version is made again."""
SCHEMA = f"""
create table runs (commit_id text primary key, name text, baseline text, created integer, body text);
create table closures (id integer primary key, digest text unique, deps text);
create table closure_files (closure integer, path text, md5 text);
create table derivations (
    id integer primary key, digest text unique, stage text, artifact text, size integer, closure integer, entry text
);
create table run_derivations (
    derivation integer, created integer, run text, ran integer, primary key (derivation, created, run)
) without rowid;
create table inputs (
    md5 text, made text, derivation integer, path text, size integer, primary key (md5, made, derivation, path)
) without rowid;
create index by_name on runs (name);
create index by_artifact on derivations (artifact);
create index by_closure on derivations (closure);
create index by_run on run_derivations (run);
create index by_file on closure_files (path, md5);
pragma user_version = {VERSION};
"""
RUNS_AT_ONCE = 200
"""Runs read and written in one go; more would hold all their locks in memory."""


def fill(db: sqlite3.Connection, git: Git, say: Callable[[str], None]) -> None:
    """Bring an index up to date with the refs: runs that are new, runs that are gone, runs with another name."""
    if db.execute("pragma user_version").fetchone()[0] == 0:
        db.executescript(SCHEMA)
    known = dict(db.execute("select commit_id, name from runs"))
    present = _present(git)
    new = [commit for commit in present if commit not in known]
    _forget(db, set(known) - set(present))
    _rename(db, {commit: name for commit, name in present.items() if known.get(commit, name) not in {name, None}})
    for start in range(0, len(new), RUNS_AT_ONCE):
        if len(new) > RUNS_AT_ONCE:
            say(f"reading the record of run {start + 1} of {len(new)}")
        _add(db, git, {commit: present[commit] for commit in new[start : start + RUNS_AT_ONCE]})


def is_data(path: str) -> bool:
    """Whether a dependency's path is an artifact or raw input, and not code."""
    return path.startswith(("artifacts/", "inputs"))


def _present(git: Git) -> dict[str, str]:
    """Every run's commit and name: the experiments, and what registered models keep alive."""
    listed = git.run("for-each-ref", "--format=%(objectname) %(refname)", MODELS, EXPERIMENTS)
    refs = [line.split(" ", 1) for line in listed.splitlines()]
    models = [ref for _, ref in refs if ref.startswith(MODELS)]
    runs: dict[str, str] = {}
    for text in git.contents([f"{ref}:{STATE}" for ref in models]).values():
        versions = json.loads(text or "{}").get("versions", {})
        runs |= {version["commit"]: version["run"] for version in versions.values()}
    return runs | {commit: ref.rsplit("/", 1)[-1] for commit, ref in refs if not ref.startswith(MODELS)}


def _forget(db: sqlite3.Connection, gone: Iterable[str]) -> None:
    rows = [(commit,) for commit in gone]
    if not rows:
        return
    unused = "select id from derivations where id not in (select derivation from run_derivations)"
    with db:
        db.execute("begin")
        db.executemany("delete from runs where commit_id = ?", rows)
        db.executemany("delete from run_derivations where run = ?", rows)
        db.execute(f"delete from inputs where derivation in ({unused})")  # noqa: S608 -- a constant
        db.execute(f"delete from derivations where id in ({unused})")  # noqa: S608 -- a constant


def _rename(db: sqlite3.Connection, names: Mapping[str, str]) -> None:
    with db:
        db.executemany(
            "update runs set name = ? where commit_id = ?", [(name, commit) for commit, name in names.items()]
        )


def _add(db: sqlite3.Connection, git: Git, names: Mapping[str, str]) -> None:
    contents = git.contents([name for commit in names for name in (commit, f"{commit}:dvc.lock")])
    with db:
        db.execute("begin")
        for commit, name in names.items():
            text = contents[commit]
            if text is None:  # a shallow clone may lack it now and have it later
                continue
            head, _, body = text.partition("\n\n")
            ours = FLOW in body
            parent, created = _parent_and_time(head)
            fields = (commit, name if ours else None, parent, created, body if ours else "")
            db.execute("insert into runs values (?, ?, ?, ?, ?)", fields)
            if ours:
                made = _made(body)
                rows = _derivations(db, contents[f"{commit}:dvc.lock"] or "")
                linked = [(number, created, commit, made.get(stage) == artifact) for number, stage, artifact in rows]
                db.executemany("insert or ignore into run_derivations values (?, ?, ?, ?)", linked)


def _made(body: str) -> dict[str, str]:
    """The artifact of each stage that a run ran itself, from its commit message."""
    return dict(pair.split("=", 1) for pair in read_trailers(body).get("Made", "").split())


def _derivations(db: sqlite3.Connection, lock: str) -> Iterator[tuple[int, str, str]]:
    """The number, stage and artifact of every derivation in a lock; new ones are added."""
    for text in stage_texts(lock):
        digest = _sha256(text)
        row = db.execute("select id, stage, artifact from derivations where digest = ?", (digest,)).fetchone()
        if row is None:
            stage, entry = read_stage(text)
            if not _artifacts(entry):  # a stage of somebody's own that makes no artifact
                continue
            row = (_add_derivation(db, digest, stage, entry), stage, artifact_id(entry))
        yield row


def _artifacts(entry: LockEntry) -> list[dict[str, Any]]:
    return [out for out in entry.get("outs", []) if out["path"].startswith("artifacts/")]


def _add_derivation(db: sqlite3.Connection, digest: str, stage: str, entry: LockEntry) -> int:
    deps = [dep for dep in entry.get("deps", []) if "md5" in dep]
    data = [dep for dep in deps if is_data(dep["path"])]
    closure = _closure(db, [dep for dep in deps if not is_data(dep["path"])])
    told = json.dumps({**entry, "deps": data})
    artifact = artifact_id(entry)
    size = sum(out.get("size", 0) for out in _artifacts(entry))
    cursor = db.execute(
        "insert into derivations values (null, ?, ?, ?, ?, ?, ?)", (digest, stage, artifact, size, closure, told)
    )
    number = int(cursor.lastrowid or 0)
    inputs = [(dep["md5"], artifact, number, dep["path"], dep.get("size", 0)) for dep in data]
    db.executemany("insert into inputs values (?, ?, ?, ?, ?)", inputs)
    return number


def _closure(db: sqlite3.Connection, deps: list[dict[str, Any]]) -> int:
    """The number of a set of code files; thousands of derivations share one."""
    told = json.dumps(deps)
    digest = _sha256(told)
    row = db.execute("select id from closures where digest = ?", (digest,)).fetchone()
    if row:
        return int(row[0])
    number = int(db.execute("insert into closures values (null, ?, ?)", (digest, told)).lastrowid or 0)
    files = [(number, dep["path"], dep["md5"]) for dep in deps]
    db.executemany("insert into closure_files values (?, ?, ?)", files)
    return number


def _parent_and_time(head: str) -> tuple[str, int]:
    """The first parent and the time of a commit, from its header."""
    parent = re.search(r"^parent (\w+)$", head, re.MULTILINE)
    time = re.search(r"^committer .* (\d+) \S+$", head, re.MULTILINE)
    return parent.group(1) if parent else "", int(time.group(1)) if time else 0


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
