"""The end of a batch, where no server is there to hear of it."""

from pathlib import Path

import pytest

from flows.people.label_events import announce
from stemma.labelling.store.store import open_store
from tests.labelling import batch, person, say


def test_without_a_server_the_end_of_a_batch_is_kept_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    store = open_store(f"sqlite:///{tmp_path / 'labels.db'}")
    store.make_batch(batch(1))
    assert announce(tmp_path, store)
    say(store, person(store, "ann"))
    assert not announce(tmp_path, store)
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    assert not announce(tmp_path, store)
    assert [ended.id for ended in store.unannounced()] == ["b"]
    store.close_connections()
