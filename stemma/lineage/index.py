"""An index of every run's dvc.lock, so that questions over thousands of runs are answered in a moment.

It is a cache of what Git says, kept in `.stemma/index.db`: deleted or damaged, it is made again.
"""

import json
import sqlite3
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stemma.errors import WorkspaceError
from stemma.lineage.clone import fetch_hint
from stemma.lineage.dvc import LockEntry
from stemma.lineage.git import Git
from stemma.lineage.index_filling import VERSION, fill, is_data
from stemma.lineage.runs import Run, read_trailers
from stemma.stage.locks import lock

__all__ = ["Derivation", "Descendant", "Index", "Input", "RawInput", "is_data", "open_index"]
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
DERIVATIONS = "select derivations.*, closures.deps from derivations join closures on closures.id = closure"


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


@dataclass(frozen=True)
class Descendant:
    """An artifact that came of another, in few words: there may be tens of thousands."""

    artifact: str
    """DVC id."""
    stage: str
    size: int
    """Bytes."""
    run: str
    """The oldest run that has it."""


@dataclass(frozen=True)
class RawInput:
    """What a run took in and no run made."""

    md5: str
    path: str
    size: int
    """Bytes."""
    commit: str
    """The experiment of the oldest run that has it."""


class Index:
    """The index of a project's runs, brought up to date when it is opened."""

    def __init__(self, root: Path, say: Callable[[str], None] = lambda _: None) -> None:
        self.root = root
        self.placeholders: dict[str, bool] = {}
        """Whether a raw input holds nothing, by DVC id, as far as anyone asked."""
        self._git = Git(root)
        self._say = say
        self._file = root / ".stemma" / "index.db"
        self._open()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def runs(self) -> list[Run]:
        """Every run, newest first."""
        rows = self._rows("select * from runs where name is not null order by created desc, name")
        return [self._run(row) for row in rows]

    def run(self, commit: str) -> Run:
        """The run of an experiment's commit.

        Raises WorkspaceError where this clone does not have that commit.
        """
        rows = self._rows("select * from runs where commit_id = ? and name is not null", commit)
        if not rows:
            raise WorkspaceError(f"the record of a run, commit {commit}, is not in this clone{fetch_hint(self.root)}")
        return self._run(rows[0])

    def runs_like(self, prefix: str) -> list[Run]:
        """The runs whose experiment's commit begins with a prefix."""
        query = "select * from runs where commit_id >= ? and commit_id < ? and name is not null"
        return [self._run(row) for row in self._rows(query, prefix, _end(prefix))]

    def runs_named(self, name: str) -> list[Run]:
        """The runs of that name."""
        return [self._run(row) for row in self._rows("select * from runs where name = ?", name)]

    def artifacts_like(self, prefix: str) -> list[str]:
        """The ids of artifacts and raw inputs that begin with a prefix."""
        rows = self._rows(
            "select artifact from derivations where artifact >= ? and artifact < ? union "
            "select md5 from inputs where md5 >= ? and md5 < ?",
            *(prefix, _end(prefix)) * 2,
        )
        return sorted(row[0] for row in rows)

    def of_run(self, commit: str) -> dict[str, Derivation]:
        """What a run's dvc.lock holds, by stage."""
        rows = self._rows(
            f"{DERIVATIONS} join run_derivations on derivation = derivations.id where run = ?",
            commit,
        )
        return {derivation.stage: derivation for derivation in map(_derivation, rows)}

    def of_artifact(self, artifact: str) -> list[Derivation]:
        """The ways in which an artifact came about, the oldest run's first."""
        rows = self._rows(
            f"{DERIVATIONS} join run_derivations on derivation = derivations.id "
            "where artifact = ? group by derivations.id order by min(created), derivations.id",
            artifact,
        )
        return [_derivation(row) for row in rows]

    def made_from(self, ids: Iterable[str]) -> list[tuple[str, Derivation]]:
        """Every derivation that has one of these artifacts or raw inputs as an input, with the input's id."""
        rows = self._rows(
            "select inputs.md5, derivations.*, closures.deps from inputs "
            "join derivations on inputs.derivation = derivations.id join closures on closures.id = closure "
            "where inputs.md5 in (select value from json_each(?))",
            json.dumps(list(ids)),
        )
        return [(row[0], _derivation(row[1:])) for row in rows]

    def made_with(self, path: str, md5s: Iterable[str]) -> list[str]:
        """The ids of the artifacts that were made with one of these contents of a code file."""
        rows = self._rows(
            "select distinct artifact from closure_files join derivations using (closure) "
            "where path = ? and md5 in (select value from json_each(?)) order by artifact",
            *(path, json.dumps(list(md5s))),
        )
        return [row[0] for row in rows]

    def contents_of(self, path: str) -> dict[str, str]:
        """The contents that a code file has had: the commit of a run that has it in its tree, by md5."""
        rows = self._rows(
            "select md5, min(run) from closure_files join derivations using (closure) "
            "join run_derivations on derivation = derivations.id where path = ? group by md5",
            path,
        )
        return dict(rows)

    def descendants(self, ids: Iterable[str]) -> list[Descendant]:
        """These artifacts and raw inputs as far as a run made them, and everything that came of them, the oldest first.

        Where the same bytes came about in several ways, what came of any of them counts.
        """
        rows = self._rows(
            "with recursive reached (artifact) as (select value from json_each(?) union "
            "select made from reached join inputs on md5 = reached.artifact) "
            "select artifact, stage, size, "
            "(select run from run_derivations where derivation = id order by created limit 1) "
            "from reached join derivations using (artifact)",
            json.dumps(list(ids)),
        )
        runs = {row[0]: row[1:] for row in self._rows("select commit_id, created, name from runs")}
        found: dict[str, tuple[int, Descendant]] = {}
        for artifact, stage, size, run in rows:
            created, name = runs[run]
            if artifact not in found or created < found[artifact][0]:
                found[artifact] = created, Descendant(artifact, stage, size, name)
        return [one for _, one in sorted(found.values(), key=lambda dated: dated[0])]

    def raw_inputs(self) -> list[RawInput]:
        """Everything that runs took in and no run made."""
        rows = self._rows(
            "select md5, path, size, run, min(created) from inputs join run_derivations using (derivation) "
            "where md5 not in (select artifact from derivations) group by md5 order by md5"
        )
        return [RawInput(*row[:4]) for row in rows]

    def artifacts(self) -> dict[str, str]:
        """The stage of every artifact, by id."""
        return dict(self._rows("select distinct artifact, stage from derivations order by id"))

    def inputs(self, derivation: Derivation) -> list[Input]:
        """What a derivation was made from."""
        deps = derivation.entry["deps"]
        return [Input(dep["path"], dep["md5"], dep.get("size", 0), not is_data(dep["path"])) for dep in deps]

    def runs_with(self, derivations: Iterable[int]) -> list[Run]:
        """Every run whose lock holds one of these derivations, newest first."""
        rows = self._rows(
            "select distinct runs.* from run_derivations join runs on run = commit_id "
            "where derivation in (select value from json_each(?)) order by runs.created desc, name",
            json.dumps(list(derivations)),
        )
        return [self._run(row) for row in rows]

    def oldest_with(self, derivation: Derivation) -> Run:
        """The oldest run whose lock holds a derivation."""
        rows = self._rows(
            "select runs.* from run_derivations join runs on run = commit_id where derivation = ? "
            "order by run_derivations.created, name limit 1",
            derivation.id,
        )
        return self._run(rows[0])

    def maker(self, stage: str, artifact: str) -> Run | None:
        """The run that made an artifact's bytes: the oldest that ran the stage and got this id."""
        rows = self._rows(
            "select runs.* from derivations join run_derivations on derivation = id join runs on run = commit_id "
            "where artifact = ? and stage = ? and ran order by runs.created, name limit 1",
            *(artifact, stage),
        )
        return self._run(rows[0]) if rows else None

    def _open(self) -> None:
        with lock(self._file.with_suffix(".lock")):
            try:
                self._db = self._connect()
                fill(self._db, self._git, self._say)
            except sqlite3.DatabaseError as error:
                self._start_anew(error)

    def _connect(self) -> sqlite3.Connection:
        """Connect to the file; one that another version of Stemma wrote is thrown away."""
        db = sqlite3.connect(self._file, timeout=60, isolation_level=None)
        if db.execute("pragma user_version").fetchone()[0] not in {0, VERSION}:
            db.close()
            self._file.unlink()
            db = sqlite3.connect(self._file, timeout=60, isolation_level=None)
        return db

    def _start_anew(self, error: sqlite3.DatabaseError) -> None:
        """Make a damaged file again.

        Raises WorkspaceError where it is something else that is wrong with it.
        """
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in DAMAGED:
            raise WorkspaceError(
                f"the index {self._file} cannot be used: {error}. See that there is room on the disk and that you may "
                "write there; the file may be deleted, it is made again from Git"
            ) from error
        self._say(f"{self._file} was damaged ({error}); it is made again from Git")
        self._file.unlink()
        self._db = self._connect()
        fill(self._db, self._git, self._say)

    def _rows(self, query: str, *values: object) -> list[Any]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            with lock(self._file.with_suffix(".lock")):
                self._start_anew(error)
            return self._db.execute(query, values).fetchall()

    def _run(self, row: Sequence[Any]) -> Run:
        commit, name, baseline, created, body = row
        when = datetime.fromtimestamp(created, tz=UTC)
        return Run(name, commit, baseline, when, read_trailers(body), self._git)


def open_index(root: Path) -> Index:
    """Open a project's index for a command; what it has to say goes to standard error."""
    return Index(root, say=lambda text: print(text, file=sys.stderr))


def _end(prefix: str) -> str:
    """What sorts after everything that begins with a prefix."""
    return prefix + "\x7f"


def _derivation(row: Sequence[Any]) -> Derivation:
    number, _, stage, artifact, size, _, told, code = row
    entry = json.loads(told)
    entry["deps"] = sorted(entry["deps"] + json.loads(code), key=lambda dep: dep["path"])
    return Derivation(number, stage, artifact, size, entry)
