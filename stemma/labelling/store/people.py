"""Annotators and admins: their personal links, their sessions, and whether they may work."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from stemma.errors import LabelError
from stemma.labelling.store.database import Database
from stemma.labelling.store.leases import give_back
from stemma.labelling.store.tables import annotator_events, annotators, seats, sessions
from stemma.labelling.store.withdrawal import take_opinions_back

Role = Literal["annotator", "admin"]
State = Literal["active", "paused", "withdrawn"]

SESSION_SECONDS = 30 * 24 * 3600
TOKEN_BYTES = 32
LONGEST_NAME = 80


@dataclass(frozen=True)
class Person:
    """Somebody known to the store."""

    id: int
    name: str
    role: Role
    state: State


class People:
    """Who may sign in, and as what."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def invite(self, name: str, role: Role = "annotator", who: str = "") -> str:
        """Make a personal token, which stands for the person; an earlier one of the same name no longer works.

        Raises LabelError where the name is empty, too long, of another role, or that of a withdrawn annotator.
        """
        if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
            raise LabelError(f"a name has 1 to {LONGEST_NAME} printable characters; {name!r} has not")
        token = secrets.token_urlsafe(TOKEN_BYTES)
        with self._database.writing() as connection:
            known = _find(connection, name)
            if known and (known.role != role or known.state == "withdrawn"):
                raise LabelError(f"{name} is known as {_article(known)}; choose another name")
            if known:
                _shut_out(connection, known.id, token)
            else:
                connection.execute(
                    insert(annotators).values(name=name, role=role, state="active", token_hash=_hash(token))
                )
            self._record(connection, name, "invited", who, role)
        return token

    def revoke(self, name: str, who: str = "", reason: str = "") -> None:
        """Let a personal link sign nobody in any more, and end its sessions; verdicts stay.

        Raises LabelError where nobody has that name.
        """
        with self._database.writing() as connection:
            person = _known(connection, name)
            _shut_out(connection, person.id, None)
            give_back(connection, person.id)
            self._record(connection, name, "revoked", who, reason)

    def pause(self, name: str, who: str, reason: str = "") -> None:
        """Give somebody nothing to label until resumed.

        Raises LabelError where nobody has that name, or the annotator was withdrawn.
        """
        self._change_state(name, "paused", who, reason)

    def resume(self, name: str, who: str, reason: str = "") -> None:
        """Let somebody who was paused go on.

        Raises LabelError where nobody has that name, or the annotator was withdrawn.
        """
        self._change_state(name, "active", who, reason)

    def withdraw(self, name: str, who: str, reason: str) -> None:
        """Let nothing count that an annotator said, now or later; others are asked in open batches.

        Raises LabelError where nobody has that name, or the annotator was withdrawn before.
        """
        self._change_state(name, "withdrawn", who, reason)

    def everybody(self) -> list[Person]:
        """All who were ever invited, by name."""
        with self._database.reading() as connection:
            return [_person(row) for row in connection.execute(select(*_FIELDS).order_by(annotators.c.name))]

    def sign_in(self, token: str) -> str | None:
        """Start a session and return its secret; None where the token is nobody's."""
        now = self._database.clock()
        with self._database.writing() as connection:
            person = connection.scalar(select(annotators.c.id).where(annotators.c.token_hash == _hash(token)))
            if person is None:
                return None
            secret = secrets.token_urlsafe(TOKEN_BYTES)
            connection.execute(delete(sessions).where(sessions.c.expires < now))
            row = {"secret_hash": _hash(secret), "annotator_id": person, "expires": now + SESSION_SECONDS}
            connection.execute(insert(sessions).values(row))
            return secret

    def of_session(self, secret: str) -> Person | None:
        """Whose session it is; None where it ended."""
        with self._database.reading() as connection:
            row = connection.execute(_OF_SESSION, {"secret": _hash(secret), "now": self._database.clock()}).first()
        return _person(row) if row else None

    def sign_out(self, secret: str) -> None:
        """End a session."""
        with self._database.writing() as connection:
            connection.execute(delete(sessions).where(sessions.c.secret_hash == _hash(secret)))

    def _change_state(self, name: str, state: State, who: str, reason: str) -> None:
        with self._database.writing() as connection:
            person = _known(connection, name)
            if person.state == "withdrawn":
                raise LabelError(f"{name} was withdrawn before; that cannot be changed")
            connection.execute(update(annotators).where(annotators.c.id == person.id).values(state=state))
            connection.execute(select(seats.c.batch_id).where(seats.c.annotator_id == person.id).with_for_update())
            if state != "active":
                give_back(connection, person.id)
            if state == "withdrawn":
                _shut_out(connection, person.id, None)
                take_opinions_back(connection, person.id)
            self._record(connection, name, state, who, reason)

    def _record(self, connection: Connection, name: str, event: str, who: str, reason: str) -> None:
        known = _known(connection, name)
        row = {"time": self._database.clock(), "event": event, "who": who, "reason": reason}
        connection.execute(insert(annotator_events).values(annotator_id=known.id, **row))


_FIELDS = (annotators.c.id, annotators.c.name, annotators.c.role, annotators.c.state)
_OF_SESSION = (
    select(*_FIELDS)
    .join(sessions, sessions.c.annotator_id == annotators.c.id)
    .where(sessions.c.secret_hash == bindparam("secret"), sessions.c.expires > bindparam("now"))
)


def _person(row: Row[tuple[int, str, Any, Any]]) -> Person:
    return Person(row.id, row.name, row.role, row.state)


def _find(connection: Connection, name: str) -> Person | None:
    row = connection.execute(select(*_FIELDS).where(annotators.c.name == name).with_for_update(key_share=True)).first()
    return _person(row) if row else None


def _known(connection: Connection, name: str) -> Person:
    person = _find(connection, name)
    if person is None:
        raise LabelError(f"nobody is called {name!r} here; `stemma label invite {name}` makes a link for them")
    return person


def _shut_out(connection: Connection, annotator_id: int, token: str | None) -> None:
    hashed = _hash(token) if token else None
    connection.execute(update(annotators).where(annotators.c.id == annotator_id).values(token_hash=hashed))
    connection.execute(delete(sessions).where(sessions.c.annotator_id == annotator_id))


def _hash(secret: str) -> str:
    # 256 random bits need no slow hash.
    return hashlib.sha256(secret.encode()).hexdigest()


def _article(person: Person) -> str:
    return "withdrawn" if person.state == "withdrawn" else f"an {person.role}"
