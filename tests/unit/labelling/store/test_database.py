"""Opening a label store, and what is said where it cannot be opened."""

from pathlib import Path

import pytest
from sqlalchemy import update

from stemma.errors import LabelError
from stemma.labelling.store.database import STORE_VARIABLE, store_url
from stemma.labelling.store.store import open_store
from stemma.labelling.store.tables import schema
from tests.labelling import batch


def test_what_was_stored_is_there_when_opened_again(url: str) -> None:
    first = open_store(url)
    first.make_batch(batch(2))
    first.close_connections()
    second = open_store(url)
    assert [one.id for one in second.batches()] == ["b"]
    second.close_connections()


def test_tables_of_a_newer_stemma_are_left_alone(url: str) -> None:
    store = open_store(url)
    with store._database.writing() as connection:
        connection.execute(update(schema).values(version=99))
    store.close_connections()
    with pytest.raises(LabelError, match="tables of version 99, and this Stemma knows version 1"):
        open_store(url)


def test_a_password_is_never_told() -> None:
    for url in (
        "postgresql+psycopg://ada:tops3cret@127.0.0.1:1/labels",
        "postgresql+psycopg://ada@127.0.0.1:1/labels?password=tops3cret",
    ):
        with pytest.raises(LabelError, match="cannot be used") as caught:
            open_store(url)
        assert "tops3cret" not in str(caught.value)
        assert "127.0.0.1" in str(caught.value)


@pytest.mark.parametrize("url", ["", "labels.db", "mysql://ada:tops3cret@h/x", "nonsense://x", "sqlite://ada:p@h/x"])
def test_other_urls_are_refused_with_an_example(url: str) -> None:
    with pytest.raises(LabelError, match="must be sqlite:///FILE or postgresql") as caught:
        open_store(url)
    assert "tops3cret" not in str(caught.value)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "labels.db").write_bytes(b"not a database, but long enough to be read as one" * 100)
    with pytest.raises(LabelError, match=r"labels\.db cannot be used: file is not a database"):
        open_store(f"sqlite:///{tmp_path / 'labels.db'}")


def test_the_store_is_in_the_project_unless_a_url_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(STORE_VARIABLE, raising=False)
    assert store_url(tmp_path) == f"sqlite:///{tmp_path}/labels.db"
    monkeypatch.setenv(STORE_VARIABLE, "postgresql+psycopg:///x")
    assert store_url(tmp_path) == "postgresql+psycopg:///x"
