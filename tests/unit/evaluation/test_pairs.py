import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemma.evaluation.intervals import wilson
from stemma.evaluation.pairs import length_baseline, pair_accuracy
from stemma.records.types import Comparison, Message

scores = st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=1, max_size=30)


def pair(chosen: str, rejected: str) -> Comparison:
    prompt = (Message(role="user", content="where ?"),)
    return Comparison(prompt_id="p", prompt=prompt, chosen=chosen, rejected=rejected, split="train")


def test_an_equal_score_counts_half() -> None:
    # right, wrong, tie, right → 2.5 of 4
    assert pair_accuracy([2, 0, 1, 5], [1, 1, 1, -5]) == wilson(2.5, 4)


@given(scores)
def test_scores_turned_round_agree_where_they_disagreed(values: list[tuple[float, float]]) -> None:
    chosen, rejected = [a for a, _ in values], [b for _, b in values]
    turned = pair_accuracy(rejected, chosen).estimate
    assert pair_accuracy(chosen, rejected).estimate == pytest.approx(1 - turned)


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        pair_accuracy([1.0, 2.0], [1.0])


def test_the_length_rule_is_chosen_on_training_pairs() -> None:
    train = [pair("short", "a long answer"), pair("tiny", "another long one"), pair("the longest of all", "not")]
    # held out: shorter chosen, longer chosen, equal lengths → (1 + 0 + 0.5) of 3 for the rule "shorter"
    held_out = [pair("a", "bbb"), pair("ccc", "d"), pair("ee", "ff")]
    baseline = length_baseline(train, held_out)
    assert baseline.rule == "shorter"
    assert baseline.accuracy == wilson(1.5, 3)


def test_the_length_rule_is_longer_where_nothing_decides() -> None:
    assert length_baseline([], [pair("ccc", "d")]).rule == "longer"
