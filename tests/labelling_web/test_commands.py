"""`stemma label …` as a person types it."""

import logging
import re
import socket
from pathlib import Path

import pytest

from stemma.cli.main import main
from stemma.labelling.store.store import open_store
from tests.labelling import batch, say


def test_a_batch_from_invitation_to_close(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path / 'labels.db'}"

    def stemma(*words: str) -> tuple[int, str]:
        status = main(["label", *words, "--store", url])
        told = capsys.readouterr()
        return status, told.out + told.err

    assert stemma("batches") == (0, "There is no batch yet; a run with label.source=human makes one.\n")
    store = open_store(url)
    store.make_batch(batch(2))
    status, told = stemma("invite", "ada", "--site", "https://labels.example/")
    token = re.findall(r"^https://labels\.example/sign-in/(\S{43})$", told, re.MULTILINE)
    assert (status, len(token)) == (0, 1)
    assert store.people.sign_in(token[0])
    assert re.search(r"^http://127\.0\.0\.1:8377/sign-in/", stemma("admin", "eve")[1])
    assert {person.name: person.role for person in store.people.everybody()} == {"ada": "annotator", "eve": "admin"}

    say(store, store.people.everybody()[0])
    assert stemma("batches") == (0, "b  open  1 of 2 opinions\n")
    status, told = stemma("close", "b", "--reason", "enough")
    assert (status, "incomplete: 1 of 2" in told) == (2, True)
    assert stemma("close", "b", "--reason", "enough", "--partial") == (0, "Batch b is closed.\n")
    assert re.match(r"b  closed by \S+: enough  1 of 2 opinions\n", stemma("batches")[1])

    assert stemma("revoke", "ada")[0] == 0
    assert store.people.sign_in(token[0]) is None
    assert stemma("withdraw-annotator", "ada", "--reason", "a script")[0] == 0
    assert store.verdicts("b") == []
    assert stemma("revoke", "bob") == (
        2,
        "stemma: nobody is called 'bob' here; `stemma label invite bob` makes a link for them\n",
    )
    store.close_connections()


def test_a_port_that_is_taken_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("stemma.labelling", "stemma.labelling.access"):
        # The server logs to this test's stderr, which is gone after it.
        monkeypatch.setattr(logging.getLogger(name), "handlers", [])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert main(["label", "serve", "--port", port, "--store", f"sqlite:///{tmp_path / 'l.db'}"]) == 2
    assert f"cannot be served on 127.0.0.1:{port}" in capsys.readouterr().err
