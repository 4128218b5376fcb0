"""Answers of AI judges by the content of the question, kept for ever, so that nothing is asked twice.

Every answer is in the file before the next is counted: a killed stage goes on where it was, and two at once share it.
"""

import fcntl
import hashlib
import json
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from stemma.errors import WorkspaceError

CACHE = "judge-cache"
"""The folder of a project's answers, under .stemma/."""
FILE = "answers.db"
LOCK = "opening.lock"
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
SECONDS_TO_WAIT = 60.0
KEYS_AT_ONCE = 500


def key_of(question: Mapping[str, Any]) -> str:
    """The key of a question: judge, whole prompt, and how the answer is sampled."""
    return hashlib.sha256(json.dumps(question, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


@contextmanager
def open_cache(folder: Path) -> "Iterator[AnswerCache]":
    """Open the answers that are kept in a folder, which is made where it is missing.

    Raises WorkspaceError where the file there is no such thing, or cannot be used.
    """
    path = folder / FILE
    with _faults_told(path):
        folder.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path, timeout=SECONDS_TO_WAIT, isolation_level=None)
    with closing(db):
        with _faults_told(path), (folder / LOCK).open("w") as held:
            # SQLite does not wait for a file that another process is just turning into a write-ahead log's.
            fcntl.flock(held, fcntl.LOCK_EX)
            db.execute("pragma journal_mode = wal")
            db.execute("pragma synchronous = normal")
            db.execute("create table if not exists answers (key text primary key, reply text not null)")
        yield AnswerCache(db, path)


@contextmanager
def _faults_told(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.DatabaseError, OSError) as error:
        if getattr(error, "sqlite_errorcode", None) in DAMAGED:
            raise WorkspaceError(f"{path} is damaged ({error}); delete it, and the judges are asked anew") from None
        raise WorkspaceError(
            f"{path} cannot be used ({error}); see that the disk has room and that you may write there"
        ) from None


def forget_answers(root: Path) -> None:
    """Delete all that judges said in a project; they are asked anew when they are needed."""
    shutil.rmtree(root / ".stemma" / CACHE, ignore_errors=True)


class AnswerCache:
    """The answers in one file."""

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db = db
        self._path = path

    def find(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The answers that are known. Raises WorkspaceError where the file cannot be read."""
        wanted = list(dict.fromkeys(keys))
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(wanted), KEYS_AT_ONCE):
            some = wanted[start : start + KEYS_AT_ONCE]
            marks = ",".join("?" * len(some))
            with _faults_told(self._path):
                rows = self._db.execute(f"select key, reply from answers where key in ({marks})", some)  # noqa: S608 -- marks
                found |= {key: json.loads(reply) for key, reply in rows}
        return found

    def keep(self, replies: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep answers, all or none; what is kept already stays as it is.

        Raises WorkspaceError where the file cannot be written.
        """
        rows = [(key, json.dumps(reply, ensure_ascii=False)) for key, reply in replies.items()]
        with _faults_told(self._path), self._db:
            self._db.execute("begin immediate")
            self._db.executemany("insert or ignore into answers values (?, ?)", rows)
