import pytest

from stemma.labelling.aggregation import aggregate, comparisons_of
from stemma.labelling.quality.votes import gather
from stemma.records.types import Comparison, Message, Prompt, Verdict

PROMPTS = {"p": Prompt(id="p", messages=(Message(role="user", content="q"),), split="test")}


def verdict(who: str, choice: str, first: str = "a", second: str = "b", **more: object) -> Verdict:
    row = {"prompt_id": "p", "annotator": who, "first": first, "second": second, "choice": choice}
    return Verdict.model_validate(row | more)


def label(*given: Verdict, soft: bool = False) -> Comparison | None:
    (only,) = aggregate(gather(given), "majority")
    row = only.comparison(PROMPTS["p"], soft)
    assert (row is not None) == (only.outcome == "compared")
    return row


def outcome(*given: Verdict) -> str:
    (only,) = aggregate(gather(given), "majority")
    return only.outcome


def test_the_majority_chooses_and_may_keep_its_share() -> None:
    given = [verdict("ann", "first"), verdict("ben", "first", first="b", second="a"), verdict("cleo", "second")]
    plain, kept = label(*given), label(*given, soft=True)
    assert plain is not None
    assert (plain.chosen, plain.rejected, plain.split, plain.probability) == ("b", "a", "test", None)
    assert kept is not None
    assert kept == plain.model_copy(update={"probability": pytest.approx(2 / 3, abs=1e-6)})


def test_outcomes() -> None:
    assert outcome(verdict("ann", "skip")) == "skipped"
    assert outcome(verdict("ann", "first"), verdict("ben", "second")) == "undecided"
    assert outcome(verdict("ann", "first"), verdict("ben", "tie")) == "compared"
    assert outcome(verdict("ann", "first"), verdict("ben", "tie"), verdict("cleo", "both_bad")) == "tie"
    assert outcome(verdict("ann", "first", second="a")) == "same_text"
    assert outcome(verdict("ann", "first", second="")) == "empty"


def test_who_skipped_is_not_counted_as_a_source() -> None:
    row = label(verdict("ann", "first", origin={"batch": "b"}), verdict("ben", "skip", origin={"batch": "c"}))
    assert row is not None
    assert (row.annotator, row.origin) == ("ann", {"batch": "b"})


def test_origins_keep_what_they_share() -> None:
    one = verdict("ann", "first", origin={"batch": "b", "seconds": 1, "note": None})
    other = verdict("ben", "first", origin={"batch": "b", "seconds": 2})
    row = label(one, other)
    assert row is not None
    assert row.annotator is None
    assert row.origin == {"batch": "b", "verdicts": {"annotators": {"ann": 1, "ben": 1}}}


def test_labels_come_in_the_order_of_their_pairs() -> None:
    pairs = gather([verdict("ann", "first", second=text) for text in "zyx"])
    rows = comparisons_of(aggregate(pairs, "dawid_skene"), PROMPTS, soft=True)
    assert [row.rejected for row in rows] == ["z", "y", "x"]
    assert {row.probability for row in rows} == {0.8}


def test_a_label_says_which_answer_was_cut_whichever_was_shown_first() -> None:
    one = label(verdict("ann", "first", second_finished=False))
    turned = label(verdict("ann", "first", first="b", second="a", first_finished=False))
    assert one is not None
    assert (one.chosen, one.chosen_finished, one.rejected, one.rejected_finished) == ("a", True, "b", False)
    assert turned is not None
    assert (turned.chosen, turned.chosen_finished, turned.rejected_finished) == ("b", False, True)


def test_a_text_that_ended_and_the_same_text_cut_are_two_answers() -> None:
    both = gather([verdict("ann", "first"), verdict("ben", "second", second_finished=False)])
    assert [pair.finished for pair in both] == [(True, True), (True, False)]
