"""Which batches a run takes labels from, and which it refuses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from flows.people.human_labels import People
from flows.settings import DpoSettings, HumanConfig
from flows.stage_run import StageRunner
from stemma.errors import LabelError
from stemma.labelling.store.store import LabelStore, open_store
from tests.labelling import batch, person, say

SAMPLE = "a" * 32 + ".dir"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LabelStore]:
    opened = open_store(f"sqlite:///{tmp_path / 'labels.db'}")
    yield opened
    opened.close_connections()


def take(store: LabelStore, **human: object) -> Any:
    """What a run named `b`, whose sample is SAMPLE, makes of the batch that it finds."""
    nothing = cast("Any", None)
    runner = StageRunner(
        nothing, nothing, nothing, nothing, nothing, nothing, [], {}, nothing, nothing, artifacts={"sample": SAMPLE}
    )
    settings = DpoSettings(human=HumanConfig.model_validate(human))
    return People(store, settings, "b", "Be fair.").take(runner)


def test_a_half_done_batch_is_waited_for(store: LabelStore) -> None:
    store.make_batch(batch(3, source={"run": "b", "sample": SAMPLE}))
    say(store, person(store, "ann"))
    halt = take(store)
    assert halt.words == "batch b is incomplete: 1 of 3 verdicts"
    assert (halt.progress.given, halt.progress.wanted) == (1, 3)


def test_a_stale_batch_is_refused_whether_open_or_closed(store: LabelStore) -> None:
    store.make_batch(batch(1, source={"run": "b", "sample": "f" * 32}))
    with pytest.raises(
        LabelError, match=f"batch b is stale: its answers are of sample f+, and this run's are of {SAMPLE}"
    ):
        take(store)
    say(store, person(store, "ann"))
    with pytest.raises(LabelError, match="batch b is stale"):
        take(store)


def test_a_batch_that_was_withdrawn_is_refused_with_the_reason(store: LabelStore) -> None:
    store.make_batch(batch(1))
    store.withdraw("b", "Zoë", "wrong guidelines")
    with pytest.raises(LabelError, match="batch b was withdrawn by Zoë: wrong guidelines; start a run of another name"):
        take(store)


def test_a_given_batch_must_be_there_and_closed(store: LabelStore) -> None:
    with pytest.raises(LabelError, match=r"human\.batch: there is no batch old"):
        take(store, batch="old")
    store.make_batch(batch(2, id="old"))
    with pytest.raises(LabelError, match=r"human\.batch: batch old is incomplete: 0 of 2 verdicts; .* must be closed"):
        take(store, batch="old")
