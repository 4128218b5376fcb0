import pytest

from stemma.labelling.quality.votes import Labeller, gather
from stemma.records.types import Verdict


def verdict(first: str, second: str, choice: str, **more: object) -> Verdict:
    who = {} if "judge" in more else {"annotator": "ann"}
    return Verdict.model_validate({"prompt_id": "p", "first": first, "second": second, "choice": choice, **who, **more})


def test_verdicts_in_either_order_are_one_pair() -> None:
    (pair,) = gather([verdict("b", "a", "first"), verdict("a", "b", "first", annotator="ben")])
    assert pair.answers == ("a", "b")
    assert [(vote.labeller.name, vote.choice, vote.first) for vote in pair.votes] == [
        ("ann", "second", 0),
        ("ben", "first", 1),
    ]


def test_other_answers_and_other_prompts_are_other_pairs() -> None:
    given = [verdict("a", "b", "tie"), verdict("a", "c", "tie"), verdict("a", "b", "tie", prompt_id="q")]
    assert [(pair.prompt_id, pair.answers) for pair in gather(given)] == [
        ("p", ("a", "b")),
        ("p", ("a", "c")),
        ("q", ("a", "b")),
    ]


def test_a_judges_two_orders_are_averaged() -> None:
    given = [
        verdict("a", "b", "first", judge="j", probability=0.9),
        verdict("b", "a", "first", judge="j", probability=0.6),
    ]
    (pair,) = gather(given, {"judge": 0.5})
    (vote,) = pair.votes
    assert vote.labeller == Labeller("judge", "j")
    assert (vote.choice, vote.weight) == ("first", 0.5)
    assert vote.first == pytest.approx((0.9 + 0.4) / 2)
    assert vote.lean == pytest.approx(0.5 * 0.3)


def test_a_judge_who_always_takes_the_first_has_no_preference() -> None:
    given = [
        verdict("a", "b", "first", judge="j", probability=0.75),
        verdict("b", "a", "first", judge="j", probability=0.75),
    ]
    (vote,) = gather(given)[0].votes
    assert (vote.choice, vote.first, vote.lean) == ("tie", 0.5, 0)


def test_skipping_is_no_vote_and_no_preference_leans_nowhere() -> None:
    (pair,) = gather([verdict("a", "b", "skip"), verdict("a", "b", "both_bad", annotator="ben")])
    (vote,) = pair.votes
    assert (vote.labeller.name, vote.choice, vote.lean) == ("ben", "both_bad", 0)


def test_an_annotator_and_a_judge_of_one_name_are_two() -> None:
    (pair,) = gather([verdict("a", "b", "first"), verdict("a", "b", "first", judge="ann")])
    assert [vote.labeller.kind for vote in pair.votes] == ["annotator", "judge"]
