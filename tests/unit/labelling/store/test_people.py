"""Personal links, sessions and their end; on both databases."""

from pathlib import Path

import pytest

from stemma.errors import LabelError
from stemma.labelling.store.people import SESSION_SECONDS
from stemma.labelling.store.store import LabelStore, open_store
from stemma.labelling.store.tables import annotator_events
from tests.labelling import person
from tests.unit.labelling.store.conftest import Clock


def test_a_link_signs_its_person_in_until_it_is_revoked(store: LabelStore) -> None:
    token = store.people.invite("ada")
    assert len(token) >= 43, "256 bits"
    secret = store.people.sign_in(token)
    assert secret is not None
    who = store.people.of_session(secret)
    assert who is not None
    assert (who.name, who.role, who.state) == ("ada", "annotator", "active")
    assert store.people.sign_in(token + "x") is None
    assert store.people.of_session(secret + "x") is None
    store.people.revoke("ada", "eve", "lost phone")
    assert store.people.sign_in(token) is None
    assert store.people.of_session(secret) is None


def test_a_new_link_ends_the_old_one_and_its_sessions(store: LabelStore) -> None:
    old = store.people.invite("ada")
    secret = store.people.sign_in(old) or ""
    new = store.people.invite("ada")
    assert store.people.sign_in(old) is None
    assert store.people.of_session(secret) is None
    assert store.people.sign_in(new) is not None
    assert len(store.people.everybody()) == 1


def test_sessions_end_by_themselves_and_by_signing_out(store: LabelStore, clock: Clock) -> None:
    token = store.people.invite("ada")
    one, other = store.people.sign_in(token) or "", store.people.sign_in(token) or ""
    store.people.sign_out(one)
    assert store.people.of_session(one) is None
    assert store.people.of_session(other) is not None
    clock.now += SESSION_SECONDS + 1
    assert store.people.of_session(other) is None


def test_neither_tokens_nor_session_secrets_are_stored(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'labels.db'}")
    token = store.people.invite("ada")
    secret = store.people.sign_in(token) or ""
    store.close_connections()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"ada" in stored
    assert token.encode() not in stored
    assert secret.encode() not in stored


def test_names_that_cannot_be_used_are_refused(store: LabelStore) -> None:
    for name in ("", "  ", "a\nb", "x" * 81, "a\0b"):
        with pytest.raises(LabelError, match="printable"):
            store.people.invite(name)
    store.people.invite("eve", "admin")
    with pytest.raises(LabelError, match="known as an admin"):
        store.people.invite("eve")
    person(store, "ada")
    store.people.withdraw("ada", "eve", "")
    with pytest.raises(LabelError, match="withdrawn"):
        store.people.invite("ada")
    with pytest.raises(LabelError, match="withdrawn before"):
        store.people.resume("ada", "eve")
    with pytest.raises(LabelError, match="nobody is called 'bob'"):
        store.people.pause("bob", "eve")


def test_what_was_done_to_whom_is_on_record(store: LabelStore) -> None:
    person(store, "ada")
    store.people.pause("ada", "eve", "slow down")
    store.people.resume("ada", "eve")
    store.people.revoke("ada")
    with store._database.reading() as connection:
        events = connection.execute(annotator_events.select().order_by(annotator_events.c.id)).all()
    assert [(row.event, row.who, row.reason) for row in events] == [
        ("invited", "", "annotator"),
        ("paused", "eve", "slow down"),
        ("active", "eve", ""),
        ("revoked", "", ""),
    ]
