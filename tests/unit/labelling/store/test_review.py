"""What admins see of a batch, by hand; on both databases."""

import pytest

from stemma.errors import LabelError
from stemma.labelling.store.people import Person
from stemma.labelling.store.review import Work
from stemma.labelling.store.shown import Answer, PairChoice
from stemma.labelling.store.store import LabelStore
from tests.labelling import batch, person, shown_to
from tests.unit.labelling.store.conftest import Clock


def prefer(store: LabelStore, who: Person, wanted: dict[int, int | PairChoice]) -> None:
    """Answer everything; `wanted` says for each item the index of the better answer, or another choice."""
    while shown := store.desk.next_item(who, "b"):
        better = wanted[shown.item]
        places: list[PairChoice] = ["first", "second"]
        choice = places[shown.order.index(better)] if isinstance(better, int) else better
        store.desk.answer(who, "b", Answer(shown.request_id, choice))


def test_agreement_gold_and_pace_as_counted_by_hand(store: LabelStore, clock: Clock) -> None:
    store.make_batch(batch(4, overlap=2, gold=1, gold_share=0.9))
    ada, ben = person(store, "ada"), person(store, "ben")
    clock.now += 1
    prefer(store, ada, {0: 0, 1: 1, 2: "tie", 3: "skip", 4: 0})
    prefer(store, ben, {0: 0, 1: 0, 2: "tie", 3: 1, 4: 1})
    report = store.review.report("b")
    assert [work for work in report.work if work.pace == pytest.approx(0, abs=1e-3)]
    assert [
        (w.annotator, w.given, w.skipped, w.agreed, w.compared, w.gold_right, w.gold_asked) for w in report.work
    ] == [
        # Items 0 and 2 alike, 1 and the gold item not; the skip is compared with nothing.
        ("ada", 5, 1, 2, 4, 1, 1),
        ("ben", 5, 0, 2, 4, 0, 1),
    ]
    assert isinstance(report.work[0], Work)
    assert [case.item for case in report.open_disagreements] == [1], "gold needs no adjudication"
    assert {said.annotator for said in report.open_disagreements[0].said} == {"ada", "ben"}


def test_an_adjudication_overrides_what_annotators_said(store: LabelStore) -> None:
    store.make_batch(batch(2, overlap=2))
    ada, ben = person(store, "ada"), person(store, "ben")
    prefer(store, ada, {0: 0, 1: 1})
    prefer(store, ben, {0: 1, 1: 1})
    store.people.invite("eve", "admin")
    eve = next(one for one in store.people.everybody() if one.role == "admin")
    shown = store.review.shown(eve, "b", 0, "request-1")
    final: PairChoice = "first" if shown.order[0] == 1 else "second"
    for _ in range(2):
        store.review.adjudicate(eve, "b", 0, Answer("request-1", final, note="ben is right"))
    report = store.review.report("b")
    assert (report.open_disagreements, report.adjudicated) == ((), 1)
    verdicts = store.verdicts("b")
    assert [verdict.annotator for verdict in verdicts] == ["eve", "ada", "ben"]
    assert verdicts[0].origin is not None
    assert verdicts[0].origin["adjudication"] is True
    chosen = verdicts[0].first if verdicts[0].choice == "first" else verdicts[0].second
    assert chosen == "answer 0/1"
    store.review.adjudicate(eve, "b", 0, Answer("request-2", "tie"))
    assert store.verdicts("b")[0].choice == "tie", "a changed mind"


def test_an_adjudication_needs_an_item_and_a_verdict(store: LabelStore) -> None:
    store.make_batch(batch(1))
    shown_to(store, person(store, "ada"))
    store.people.invite("eve", "admin")
    eve = next(one for one in store.people.everybody() if one.role == "admin")
    with pytest.raises(LabelError, match="no item 7"):
        store.review.adjudicate(eve, "b", 7, Answer("r", "tie"))
    with pytest.raises(LabelError, match="a choice between two"):
        store.review.adjudicate(eve, "b", 0, Answer("r", ranking=((0,), (1,))))
    store.withdraw("b", "eve", "")
    with pytest.raises(LabelError, match="withdrawn"):
        store.review.adjudicate(eve, "b", 0, Answer("r", "tie"))
