"""How batches come, close and are passed on; on both databases."""

from dataclasses import replace

import pytest

from stemma.errors import LabelError
from stemma.labelling.store.batch import NewBatch
from stemma.labelling.store.store import LabelStore
from stemma.labelling.store.tables import batch_events, items
from tests.labelling import batch, item, person, say, shown_to
from tests.unit.labelling.store.conftest import Clock


def test_the_same_batch_twice_is_one_and_another_of_its_id_is_refused(store: LabelStore) -> None:
    made = batch(3, source={"run": "r1", "sample": "abc.dir", "flow_run": "f1"})
    store.make_batch(made)
    store.make_batch(made)
    known = store.batch("b")
    assert known is not None
    assert (known.state, known.source, known.guidelines) == ("open", made.source, "Be **fair**.")
    assert (store.progress("b").items, store.progress("b").wanted) == (3, 3)
    for other in (replace(made, guidelines="x"), replace(made, items=made.items[:2]), replace(made, overlap=2)):
        with pytest.raises(LabelError, match="other content"):
            store.make_batch(other)


def test_a_batch_comes_in_whole_or_not_at_all(store: LabelStore) -> None:
    # The batch's own row is written before the one of the second item, which no database takes.
    with pytest.raises(LabelError, match="failed"):
        store.make_batch(batch(items=(item(0), replace(item(1), gold=0, priority=None))))  # type: ignore[arg-type]
    assert store.batches() == []
    assert store.batch("b") is None


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (batch(1, id="a b"), "batch id 'a b'"),
        (batch(1, id=""), "batch id ''"),
        (batch(0), "no item that needs a label"),
        (batch(0, gold=2), "no item that needs a label"),
        (batch(1, overlap=0), "overlap"),
        (batch(1, gold_share=1.0), "gold_share"),
        (batch(1, form="vote"), "vote"),
        (batch(items=(item(0), item(1, answers=3))), "item 1: 3 answers"),
        (batch(items=(item(0, answers=10),), form="rank"), "item 0: 10 answers; it takes 2 to 9"),
        (batch(items=(replace(item(0), prompt=()),)), "item 0: the prompt"),
        (batch(items=(item(0), replace(item(1), gold=2))), "item 1: gold is 2"),
        (batch(items=(replace(item(0), priority=float("nan")),)), "no JSON"),
        (batch(items=(replace(item(0), origin={"policy": object()}),)), "no JSON"),  # type: ignore[dict-item]
    ],
    ids=lambda value: "" if isinstance(value, NewBatch) else value,
)
def test_a_batch_that_cannot_be_labelled_is_refused(wrong: NewBatch, words: str) -> None:
    with pytest.raises(LabelError, match=words):
        wrong.check()


def test_a_half_done_batch_closes_only_where_that_is_said(store: LabelStore) -> None:
    store.make_batch(batch(3))
    say(store, person(store, "ada"))
    with pytest.raises(LabelError, match="incomplete: 1 of 3"):
        store.close("b", "eve", "lunch")
    store.close("b", "eve", "lunch", partial=True)
    closed = store.batch("b")
    assert closed is not None
    assert (closed.state, closed.closed_by, closed.closed_reason) == ("closed", "eve", "lunch")
    assert closed.closed is not None
    assert closed.closed >= closed.created
    with pytest.raises(LabelError, match="closed already"):
        store.close("b", "eve", "again", partial=True)
    with pytest.raises(LabelError, match="no batch nope"):
        store.close("nope", "eve", "")
    with pytest.raises(LabelError, match="no batch nope"):
        store.progress("nope")


def test_what_ended_is_passed_on_until_that_is_noted(store: LabelStore) -> None:
    for name in ("b", "c", "d"):
        store.make_batch(batch(1, id=name))
    assert store.unannounced() == []
    say(store, person(store, "ada"))
    store.withdraw("c", "eve", "wrong samples")
    assert [(one.id, one.state) for one in store.unannounced()] == [("b", "closed"), ("c", "withdrawn")]
    store.announced("b")
    store.announced("b")
    assert [one.id for one in store.unannounced()] == ["c"]


def test_a_complete_batch_that_a_dying_server_left_open_is_closed_when_looked_at(
    store: LabelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.make_batch(batch(1))
    ada = person(store, "ada")
    monkeypatch.setattr(store.desk, "_close_if_complete", lambda _: None)
    say(store, ada)
    assert store.batch("b").state == "open"  # type: ignore[union-attr]
    assert [one.id for one in store.unannounced()] == ["b"]
    assert store.batch("b").closed_by == "the last verdict"  # type: ignore[union-attr]


def test_every_end_is_on_record_and_items_are_never_changed(store: LabelStore) -> None:
    store.make_batch(batch(2))
    with store._database.reading() as connection:
        before = connection.execute(items.select()).all()
    shown_to(store, person(store, "ada"))
    store.close("b", "eve", "enough", partial=True)
    with store._database.reading() as connection:
        events = connection.execute(batch_events.select().order_by(batch_events.c.id)).all()
        assert connection.execute(items.select()).all() == before
    assert [(row.event, row.who, row.reason) for row in events] == [("made", "", ""), ("closed", "eve", "enough")]


def test_verdicts_are_counted_since_a_time_but_for_those_that_a_run_asked_for(store: LabelStore, clock: Clock) -> None:
    store.make_batch(batch(3))
    store.make_batch(batch(3, id="of-a-run", source={"run": "r1"}))
    ann = person(store, "ann")
    say(store, ann)
    say(store, ann, "skip")
    say(store, ann, "tie")
    say(store, ann, batch_id="of-a-run")
    assert store.given_since(0) == 2
    assert store.given_since(clock.now) == 0


def test_verdicts_say_which_answer_was_cut(store: LabelStore) -> None:
    cut = replace(item(0), finished=(True, False))
    store.make_batch(batch(items=(cut, item(1))))
    ann = person(store, "ann")
    say(store, ann)
    say(store, ann)
    ended = {
        text: end
        for verdict in store.verdicts("b")
        for text, end in ((verdict.first, verdict.first_finished), (verdict.second, verdict.second_finished))
    }
    assert ended == {"answer 0/0": True, "answer 0/1": False, "answer 1/0": True, "answer 1/1": True}


def test_a_batch_from_before_cut_answers_were_recorded_is_the_same_batch(store: LabelStore) -> None:
    old = batch(1)
    assert "finished" not in old.items[0].content()
    store.make_batch(old)
    store.make_batch(replace(old, items=(replace(item(0), finished=(True, False)),)))
    say(store, person(store, "ann"))
    (verdict,) = store.verdicts("b")
    assert (verdict.first_finished, verdict.second_finished) == (True, True)


def test_a_batch_must_say_of_each_answer_whether_it_was_cut() -> None:
    with pytest.raises(LabelError, match="item 0: `finished` must have an entry for each answer"):
        batch(items=(replace(item(0), finished=(True,)),)).check()
