"""A round that waited for people's labels goes on as it began."""

from pathlib import Path

import pytest

from flows.round import Round, begin_round
from flows.settings import RetrainSettings
from stemma.labelling.store.store import open_store
from tasks.label import LabelConfig
from tests.labelling import batch

BEGUN = Round(3, "policy/4", "rlhf", {"inputs/round/policy/from-champion": "a" * 32 + ".dir"})


def test_it_goes_on_from_the_champion_of_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'labels.db'}"
    monkeypatch.setenv("STEMMA_LABEL_STORE", url)
    store = open_store(url)
    store.make_batch(batch(1, source={"run": "b", "round": BEGUN.as_text()}))
    store.close_connections()
    assert begin_round(tmp_path, RetrainSettings(label=LabelConfig(source="human")), "b") == BEGUN
