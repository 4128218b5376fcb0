"""What annotators get to see, and what becomes of what they say; on both databases."""

from collections import Counter
from dataclasses import replace

import pytest

from stemma.errors import LabelError
from stemma.labelling.store.leases import LEASE_SECONDS
from stemma.labelling.store.shown import Answer
from stemma.labelling.store.store import LabelStore
from tests.labelling import answers, batch, item, person, say, shown_to, stored_rows
from tests.unit.labelling.store.conftest import Clock


def test_all_items_come_once_in_order_and_the_last_verdict_closes_the_batch(store: LabelStore) -> None:
    store.make_batch(batch(3))
    ada = person(store, "ada")
    assert [say(store, ada).item for _ in range(3)] == [0, 1, 2]
    assert store.desk.next_item(ada, "b") is None
    closed = store.batch("b")
    assert closed is not None
    assert (closed.state, closed.closed_by) == ("closed", "the last verdict")
    assert [verdict.prompt_id for verdict in store.verdicts("b")] == ["p0", "p1", "p2"]


def test_higher_priority_comes_first(store: LabelStore) -> None:
    items = tuple(replace(item(number), priority=number % 3) for number in range(6))
    store.make_batch(batch(items=items))
    ada = person(store, "ada")
    assert [say(store, ada).item for _ in range(6)] == [2, 5, 1, 4, 0, 3]


def test_two_tabs_show_the_same_item_and_its_form_counts_once(store: LabelStore) -> None:
    store.make_batch(batch(2))
    ada = person(store, "ada")
    one, other = shown_to(store, ada), shown_to(store, ada)
    assert one == other
    assert store.desk.answer(ada, "b", Answer(one.request_id, "first")) == "recorded"
    assert store.desk.answer(ada, "b", Answer(one.request_id, "first")) == "known"
    assert store.desk.answer(ada, "b", Answer(other.request_id, "second")) == "known"
    assert [row.choice for row in stored_rows(store)] == ["first"]
    assert store.desk.standing(ada, "b").given == 1


def test_what_is_on_a_screen_goes_with_its_batch(store: LabelStore) -> None:
    store.make_batch(batch(2))
    ann = person(store, "ann")
    shown_to(store, ann)
    store.close("b", "eve", "enough", partial=True)
    assert store.desk.next_item(ann, "b") is None


def test_a_retry_of_the_verdict_that_closed_the_batch_is_known_and_another_is_too_late(store: LabelStore) -> None:
    store.make_batch(batch(1))
    ada, ben = person(store, "ada"), person(store, "ben")
    shown = shown_to(store, ada)
    store.close("b", "eve", "enough", partial=True)
    assert store.desk.answer(ada, "b", Answer(shown.request_id, "first")) == "too late"
    assert store.desk.next_item(ben, "b") is None

    store.make_batch(batch(1, id="c"))
    shown = shown_to(store, ada, "c")
    assert store.desk.answer(ada, "c", Answer(shown.request_id, "tie")) == "recorded"
    assert store.desk.answer(ada, "c", Answer(shown.request_id, "tie")) == "known"


def test_undo_brings_the_item_back_at_once_and_both_rows_stay(store: LabelStore) -> None:
    store.make_batch(batch(3))
    ada = person(store, "ada")
    said = say(store, ada, "first")
    last = store.desk.standing(ada, "b").last_request
    assert last == said.request_id
    assert store.desk.undo(ada, "b", last) == "recorded"
    assert store.desk.undo(ada, "b", last) == "known"
    again = shown_to(store, ada)
    assert (again.item, again.answers) == (said.item, said.answers)
    assert again.request_id != said.request_id
    assert store.verdicts("b") == []
    assert store.desk.answer(ada, "b", Answer(said.request_id, "tie")) == "known", "an old tab's form"
    say(store, ada, "second")
    assert [row.choice for row in stored_rows(store)] == ["first", "undo", "second"]
    assert [verdict.choice for verdict in store.verdicts("b")] == ["second"]
    assert store.desk.standing(ada, "b").given == 1


def test_undo_goes_back_step_by_step(store: LabelStore) -> None:
    store.make_batch(batch(4))
    ada = person(store, "ada")
    said = [say(store, ada) for _ in range(3)]
    for expected in reversed(said):
        last = store.desk.standing(ada, "b").last_request
        assert last == expected.request_id
        store.desk.undo(ada, "b", last)
        assert shown_to(store, ada).item == expected.item
    assert store.desk.standing(ada, "b").last_request is None
    assert sorted(say(store, ada).item for _ in range(4)) == [0, 1, 2, 3]


def test_an_item_goes_to_as_many_different_annotators_as_wanted(store: LabelStore) -> None:
    store.make_batch(batch(1, overlap=2))
    ada, ben, cleo = (person(store, name) for name in ("ada", "ben", "cleo"))
    shown_to(store, ada), shown_to(store, ben)
    assert store.desk.next_item(cleo, "b") is None
    say(store, ada)
    assert store.desk.next_item(ada, "b") is None
    assert store.desk.next_item(cleo, "b") is None
    assert not store.progress("b").complete
    say(store, ben)
    assert store.progress("b").complete
    assert [verdict.annotator for verdict in store.verdicts("b")] == ["ada", "ben"]


def test_an_abandoned_item_comes_back_and_a_late_verdict_still_counts(store: LabelStore, clock: Clock) -> None:
    store.make_batch(batch(2))
    ada, ben, cleo = (person(store, name) for name in ("ada", "ben", "cleo"))
    left = shown_to(store, ada)
    assert say(store, ben).item == 1
    assert store.desk.next_item(ben, "b") is None
    clock.now += LEASE_SECONDS + 1
    assert shown_to(store, ben).item == left.item
    assert store.desk.next_item(cleo, "b") is None
    assert store.desk.answer(ada, "b", Answer(left.request_id, "first")) == "recorded"
    assert store.progress("b").complete


def test_a_lease_lives_as_long_as_the_item_is_looked_at(store: LabelStore, clock: Clock) -> None:
    store.make_batch(batch(1))
    ada, ben = person(store, "ada"), person(store, "ben")
    first = shown_to(store, ada)
    for _ in range(4):
        clock.now += LEASE_SECONDS * 0.6
        assert shown_to(store, ada).request_id == first.request_id
        assert store.desk.next_item(ben, "b") is None


def test_a_skip_is_no_opinion_and_the_item_goes_to_somebody_else(store: LabelStore) -> None:
    store.make_batch(batch(2))
    ada, ben = person(store, "ada"), person(store, "ben")
    assert say(store, ada, "skip").item == 0
    assert say(store, ada).item == 1
    assert store.desk.next_item(ada, "b") is None
    assert not store.progress("b").complete
    assert say(store, ben).item == 0
    assert store.progress("b").complete
    assert Counter(verdict.choice for verdict in store.verdicts("b")) == {"skip": 1, "first": 2}


def test_a_skipped_item_of_high_priority_comes_to_others_next(store: LabelStore) -> None:
    store.make_batch(batch(5))
    ada, ben = person(store, "ada"), person(store, "ben")
    shown_to(store, ada)
    assert [say(store, ben).item for _ in range(2)] == [1, 2]
    say(store, ada, "skip")
    assert say(store, ben).item == 3, "was on the screen already"
    assert say(store, ben).item == 0


def test_the_order_of_answers_is_fixed_for_a_person_and_differs_between_people(store: LabelStore) -> None:
    store.make_batch(batch(40, overlap=2))
    orders = {}
    for name in ("ada", "ben"):
        who = person(store, name)
        orders[name] = [(shown.item, shown.order) for shown in (say(store, who) for _ in range(40))]
    assert orders["ada"] != orders["ben"]
    first_first = sum(order == (0, 1) for order in dict(orders["ada"]).values())
    assert 10 <= first_first <= 30


def test_gold_items_come_among_the_others_and_are_no_labels(store: LabelStore) -> None:
    store.make_batch(batch(60, gold=30, gold_share=0.25))
    ada, ben = person(store, "ada"), person(store, "ben")
    items = [say(store, who).item for _ in range(20) for who in (ada, ben)]
    gold = [number for number in items if number >= 60]
    assert 3 <= len(gold) <= 18
    assert len(set(gold)) < len(gold), "both get the same ones"
    assert all(int(verdict.prompt_id[1:]) < 60 for verdict in store.verdicts("b"))
    assert store.progress("b").wanted == 60
    assert store.progress("b").given == 40 - len(gold)
    while store.desk.next_item(ada, "b"):
        say(store, ada)
    assert store.batch("b").state == "closed"  # type: ignore[union-attr]


def test_a_form_of_somebody_else_or_of_another_kind_is_refused(store: LabelStore) -> None:
    store.make_batch(batch(2))
    ada, ben = person(store, "ada"), person(store, "ben")
    request = shown_to(store, ada).request_id
    with pytest.raises(LabelError, match="not one of yours"):
        store.desk.answer(ben, "b", Answer(request, "first"))
    for wrong in (
        Answer(request),
        Answer(request, "first", ((0,), (1,))),
        Answer(request, ranking=((0,), (1,))),
        Answer(request, "first", strength=4),
        Answer(request, "first", note="x" * 2001),
    ):
        with pytest.raises(LabelError):
            store.desk.answer(ada, "b", wrong)
    assert stored_rows(store) == []
    assert say(store, ada).request_id == request


def test_a_ranking_becomes_the_pairs_that_follow_from_it(store: LabelStore) -> None:
    store.make_batch(batch(items=(item(0, 3), item(1, 3)), form="rank"))
    ada = person(store, "ada")
    shown = shown_to(store, ada)
    with pytest.raises(LabelError, match="each of the 3 answers once"):
        store.desk.answer(ada, "b", Answer(shown.request_id, ranking=((0, 1),)))
    # As shown: the second is best, the first and the third are equal.
    store.desk.answer(ada, "b", Answer(shown.request_id, ranking=((1,), (0, 2)), note="hm"))
    say(store, ada, "skip")
    a, b, c = shown.answers
    verdicts = store.verdicts("b")
    assert [(one.first, one.second, one.choice) for one in verdicts] == [
        (a, b, "second"),
        (a, c, "tie"),
        (b, c, "first"),
    ]
    order = list(shown.order)
    assert all(one.origin is not None for one in verdicts)
    assert {str(one.origin["ranking"]) for one in verdicts if one.origin} == {
        str([[order[1]], sorted([order[0], order[2]])])
    }


def test_a_verdict_says_all_that_is_known_of_it(store: LabelStore, clock: Clock) -> None:
    store.make_batch(batch(items=(replace(item(0), origin={"policy": "policy/3"}),)))
    ada = person(store, "ada")
    shown = shown_to(store, ada)
    clock.now += 7.25
    store.desk.answer(ada, "b", Answer(shown.request_id, "second", strength=3, note="clearer \0 ש"))
    (verdict,) = store.verdicts("b")
    assert (verdict.first, verdict.second) == shown.answers
    assert (verdict.choice, verdict.strength, verdict.note) == ("second", 3, "clearer \0 ש")
    assert verdict.origin == {
        "policy": "policy/3",
        "batch": "b",
        "item": 0,
        "seconds": 7.25,
        "time": "2027-01-15T08:00:07.250+00:00",
        "shown_order": list(shown.order),
    }


def test_strange_texts_come_back_as_they_were(store: LabelStore) -> None:
    texts = ("\0 null, \u202e turned, 中文, שלום, 🙂", "x" * 1_000_000)
    store.make_batch(batch(items=(replace(item(0), answers=texts),), guidelines="\0 ok"))
    assert set(answers(shown_to(store, person(store, "ada")))) == set(texts)


def test_paused_people_get_nothing_until_they_are_resumed(store: LabelStore) -> None:
    store.make_batch(batch(3))
    ada, ben = person(store, "ada"), person(store, "ben")
    shown = shown_to(store, ada)
    store.people.pause("ada", "eve")
    assert store.desk.next_item(ada, "b") is None
    assert store.desk.answer(ada, "b", Answer(shown.request_id, "first")) == "not now"
    assert say(store, ben).item == 0, "what was on her screen is free again"
    store.people.resume("ada", "eve")
    assert say(store, ada).item == 2


def test_nothing_counts_that_a_withdrawn_annotator_said(store: LabelStore) -> None:
    store.make_batch(batch(3))
    ada, ben = person(store, "ada"), person(store, "ben")
    say(store, ada), say(store, ada)
    store.people.withdraw("ada", "eve", "answered by a script")
    assert store.verdicts("b") == []
    assert store.progress("b").given == 0
    assert sorted(say(store, ben).item for _ in range(3)) == [0, 1, 2]
    assert {verdict.annotator for verdict in store.verdicts("b")} == {"ben"}
    assert len(stored_rows(store)) == 5, "the rows stay"
