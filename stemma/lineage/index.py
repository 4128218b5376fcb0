"""An index of every run's dvc.lock, so that questions over thousands of runs are answered in a moment.

It is a cache of what Git says, kept in `.stemma/index.db`: deleted or damaged, it is made again.
"""

import hashlib
import json
import re
import sqlite3
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stemma.lineage.chain import STATE
from stemma.lineage.dvc import LockEntry, read_lock
from stemma.lineage.git import Git
from stemma.lineage.locks import lock
from stemma.lineage.registry import MODELS
from stemma.lineage.runs import EXPERIMENTS, FLOW, Run, artifact_id, read_trailers

SCHEMA = """
create table runs (commit_id text primary key, name text, baseline text, created integer, body text);
create table derivations (
    id integer primary key, digest text unique, stage text, artifact text, size integer, entry text
);
create table run_derivations (run text, derivation integer, primary key (run, derivation)) without rowid;
create table inputs (derivation integer, path text, md5 text, size integer, is_code integer);
create index by_name on runs (name);
create index by_artifact on derivations (artifact);
create index by_derivation on run_derivations (derivation);
create index from_derivation on inputs (derivation);
create index by_input on inputs (md5);
pragma user_version = 1;
"""
STAGE = re.compile(r"^  (?=\S)", re.MULTILINE)
HEADER = "schema: '2.0'\nstages:\n"
RUNS_AT_ONCE = 200
"""Runs read and written in one go; more would hold all their locks in memory."""


@dataclass(frozen=True)
class Input:
    """What a derivation was made from: an artifact, a raw input, or a code file."""

    path: str
    md5: str
    size: int
    is_code: bool


@dataclass(frozen=True)
class Derivation:
    """How an artifact came about, as a dvc.lock tells it: the same bytes may have come about in several ways."""

    id: int
    stage: str
    artifact: str
    """DVC id of the artifact."""
    size: int
    """Bytes."""
    entry: LockEntry


class Index:
    """The index of a project's runs, brought up to date when it is opened."""

    def __init__(self, root: Path, say: Callable[[str], None] = lambda _: None) -> None:
        self._root = root
        self._git = Git(root)
        self._say = say
        self._file = root / ".stemma" / "index.db"
        with lock(root / ".stemma" / "index.lock"):
            self._db = self._open()
            try:
                self._update()
            except sqlite3.DatabaseError as error:
                self._db.close()
                self._file.unlink()
                say(f"{self._file} was damaged ({error}); it is made again from Git")
                self._db = self._open()
                self._update()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def runs(self) -> list[Run]:
        """Every run, newest first."""
        rows = self._rows("select * from runs where name is not null order by created desc, name")
        return [self._run(row) for row in rows]

    def run(self, commit: str) -> Run:
        """The run of an experiment's commit."""
        return self._run(self._rows("select * from runs where commit_id = ?", commit)[0])

    def runs_named(self, name: str) -> list[Run]:
        """The runs of that name."""
        return [self._run(row) for row in self._rows("select * from runs where name = ?", name)]

    def artifacts_like(self, prefix: str) -> list[str]:
        """The ids of artifacts and raw inputs that begin with a prefix."""
        end = prefix + "\x7f"
        rows = self._rows(
            "select artifact from derivations where artifact >= ? and artifact < ? union "
            "select md5 from inputs where md5 >= ? and md5 < ? and not is_code",
            *(prefix, end, prefix, end),
        )
        return sorted(row[0] for row in rows)

    def of_run(self, commit: str) -> dict[str, Derivation]:
        """What a run's dvc.lock holds, by stage."""
        rows = self._rows(
            "select derivations.* from run_derivations join derivations on derivation = id where run = ?", commit
        )
        return {derivation.stage: derivation for derivation in map(_derivation, rows)}

    def of_artifact(self, artifact: str) -> list[Derivation]:
        """The ways in which an artifact came about, the oldest run's first."""
        rows = self._rows("select * from derivations where artifact = ? order by id", artifact)
        return [_derivation(row) for row in rows]

    def made_from(self, ids: Iterable[str]) -> list[tuple[str, Derivation]]:
        """Every derivation that has one of these as an input, with the input's md5."""
        rows = self._rows(
            "select inputs.md5, derivations.* from inputs join derivations on inputs.derivation = derivations.id "
            "where inputs.md5 in (select value from json_each(?))",
            json.dumps(list(ids)),
        )
        return [(row[0], _derivation(row[1:])) for row in rows]

    def inputs(self, derivation: Derivation) -> list[Input]:
        """What a derivation was made from."""
        rows = self._rows("select path, md5, size, is_code from inputs where derivation = ?", derivation.id)
        return [Input(path, md5, size, bool(is_code)) for path, md5, size, is_code in rows]

    def runs_with(self, derivations: Iterable[int]) -> list[Run]:
        """Every run whose lock holds one of these derivations, newest first."""
        rows = self._rows(
            "select distinct runs.* from run_derivations join runs on run = commit_id "
            "where derivation in (select value from json_each(?)) order by created desc, name",
            json.dumps(list(derivations)),
        )
        return [self._run(row) for row in rows]

    def maker(self, stage: str, artifact: str) -> Run | None:
        """The run that made an artifact's bytes: the oldest that ran the stage and got this id."""
        rows = self._rows(
            "select distinct runs.* from derivations join run_derivations on derivation = id "
            "join runs on run = commit_id where artifact = ? order by created, name",
            artifact,
        )
        return next((run for run in map(self._run, rows) if run.made.get(stage) == artifact), None)

    def _open(self) -> sqlite3.Connection:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        return sqlite3.connect(self._file, timeout=60, isolation_level=None)

    def _update(self) -> None:
        if self._db.execute("pragma user_version").fetchone()[0] == 0:
            self._db.executescript(SCHEMA)
        known = {row[0] for row in self._db.execute("select commit_id from runs")}
        present = self._present()
        new = [commit for commit in present if commit not in known]
        self._forget(known - set(present))
        for start in range(0, len(new), RUNS_AT_ONCE):
            if len(new) > RUNS_AT_ONCE:
                self._say(f"reading the record of run {start + 1} of {len(new)}")
            self._add({commit: present[commit] for commit in new[start : start + RUNS_AT_ONCE]})

    def _present(self) -> dict[str, str]:
        """Every run's commit and name: the experiments, and what registered models keep alive."""
        listed = self._git.run("for-each-ref", "--format=%(objectname) %(refname)", MODELS, EXPERIMENTS)
        refs = [line.split(" ", 1) for line in listed.splitlines()]
        models = [ref for _, ref in refs if ref.startswith(MODELS)]
        runs: dict[str, str] = {}
        for text in self._git.contents([f"{ref}:{STATE}" for ref in models]).values():
            versions = json.loads(text or "{}").get("versions", {})
            runs |= {version["commit"]: version["run"] for version in versions.values()}
        return runs | {commit: ref.rsplit("/", 1)[-1] for commit, ref in refs if not ref.startswith(MODELS)}

    def _forget(self, gone: Iterable[str]) -> None:
        with self._db:
            self._db.execute("begin")
            for commit in gone:
                self._db.execute("delete from runs where commit_id = ?", (commit,))
                self._db.execute("delete from run_derivations where run = ?", (commit,))
            unused = "select id from derivations where id not in (select derivation from run_derivations)"
            self._db.execute(f"delete from inputs where derivation in ({unused})")  # noqa: S608 -- a constant
            self._db.execute(f"delete from derivations where id in ({unused})")  # noqa: S608 -- a constant

    def _add(self, names: dict[str, str]) -> None:
        contents = self._git.contents([name for commit in names for name in (commit, f"{commit}:dvc.lock")])
        with self._db:
            self._db.execute("begin")
            for commit, name in names.items():
                head, _, body = (contents[commit] or "").partition("\n\n")
                ours = FLOW in body
                fields = (commit, name if ours else None, *_parent_and_time(head), body if ours else "")
                self._db.execute("insert into runs values (?, ?, ?, ?, ?)", fields)
                if ours:
                    self._add_lock(commit, contents[f"{commit}:dvc.lock"] or "")

    def _add_lock(self, commit: str, text: str) -> None:
        for block in _blocks(text):
            digest = hashlib.sha256(block.encode()).hexdigest()
            row = self._db.execute("select id from derivations where digest = ?", (digest,)).fetchone()
            number = row[0] if row else self._add_derivation(digest, block)
            self._db.execute("insert or ignore into run_derivations values (?, ?)", (commit, number))

    def _add_derivation(self, digest: str, block: str) -> int:
        ((stage, entry),) = read_lock(f"stages:\n  {block}").items()
        outs = [out for out in entry.get("outs", []) if out["path"].startswith("artifacts/")]
        cursor = self._db.execute(
            "insert into derivations values (null, ?, ?, ?, ?, ?)",
            (digest, stage, artifact_id(entry), sum(out.get("size", 0) for out in outs), json.dumps(entry)),
        )
        inputs = [
            (cursor.lastrowid, dep["path"], dep["md5"], dep.get("size", 0), not is_data(dep["path"]))
            for dep in entry.get("deps", [])
        ]
        self._db.executemany("insert into inputs values (?, ?, ?, ?, ?)", inputs)
        return int(cursor.lastrowid or 0)

    def _rows(self, query: str, *values: object) -> list[Any]:
        return self._db.execute(query, values).fetchall()

    def _run(self, row: Sequence[Any]) -> Run:
        commit, name, baseline, created, body = row
        when = datetime.fromtimestamp(created, tz=UTC)
        return Run(name, commit, baseline, when, read_trailers(body), self._git)


def open_index(root: Path) -> Index:
    """Open a project's index for a command; what it has to say goes to standard error."""
    return Index(root, say=lambda text: print(text, file=sys.stderr))


def is_data(path: str) -> bool:
    """Whether a dependency's path is an artifact or raw input, and not code."""
    return path.startswith(("artifacts/", "inputs"))


def _parent_and_time(head: str) -> tuple[str, int]:
    """The first parent and the time of a commit, from its header."""
    parent = re.search(r"^parent (\w+)$", head, re.MULTILINE)
    time = re.search(r"^committer .* (\d+) \S+$", head, re.MULTILINE)
    return parent.group(1) if parent else "", int(time.group(1)) if time else 0


def _derivation(row: Sequence[Any]) -> Derivation:
    number, _, stage, artifact, size, entry = row
    return Derivation(number, stage, artifact, size, json.loads(entry))


def _blocks(text: str) -> list[str]:
    """The stages of a dvc.lock, a text each; most runs share most of them, so each text is parsed once only."""
    if text.startswith(HEADER):
        return STAGE.split(text.removeprefix(HEADER))[1:]
    return [json.dumps({name: entry}, sort_keys=True) for name, entry in read_lock(text).items()]
