"""How labels of earlier rounds are merged with fresh ones."""

from hypothesis import given
from hypothesis import strategies as st

from stemma.labelling.earlier import count_rounds, merge_earlier
from stemma.records.types import Comparison, Message, Prompt, Split


def asked(text: str) -> tuple[Message, ...]:
    return (Message(role="user", content=text),)


def pair(
    text: str, chosen: str = "yes", rejected: str = "no", split: Split = "train", weight: float = 1.0, age: int = 0
) -> Comparison:
    return Comparison(
        prompt_id=text,
        prompt=asked(text),
        chosen=chosen,
        rejected=rejected,
        split=split,
        weight=weight,
        age=age or None,
    )


def test_earlier_labels_weigh_less_the_older_they_are() -> None:
    fresh = [pair("a"), pair("t", split="test")]
    before = [pair("b", weight=0.8), pair("c", weight=0.5, age=1), pair("v", split="validation")]
    merged = merge_earlier(fresh, before, [], decay=0.5)
    assert merged[:2] == fresh
    assert [(row.prompt_id, row.weight, row.age) for row in merged[2:]] == [("b", 0.4, 1), ("c", 0.25, 2)]
    assert count_rounds(merged) == [
        {"age": 0, "pairs": 1, "weight": 1.0},
        {"age": 1, "pairs": 1, "weight": 0.4},
        {"age": 2, "pairs": 1, "weight": 0.25},
    ]


def test_a_pair_that_was_labelled_anew_counts_once_as_its_newest_label_says() -> None:
    fresh = [pair("a", chosen="no", rejected="yes")]
    assert merge_earlier(fresh, [pair("a"), pair("a", rejected="maybe")], [], decay=1)[1:] == [
        pair("a", rejected="maybe", age=1)
    ]


def test_no_earlier_pair_teaches_what_is_held_out_by_now() -> None:
    splits: dict[str, Split] = {"a": "test", "b": "train"}
    prompts = [Prompt(id="other name", messages=asked(text), split=split) for text, split in splits.items()]
    assert [row.prompt_id for row in merge_earlier([], [pair("a"), pair("b")], prompts, decay=1)] == ["b"]


@given(st.floats(0.01, 1), st.integers(1, 6))
def test_after_n_rounds_a_label_weighs_the_decay_to_the_nth(decay: float, rounds: int) -> None:
    rows = [pair("a")]
    for number in range(rounds):
        rows = merge_earlier([pair(f"fresh {number}")], rows, [], decay)
    (oldest,) = [row for row in rows if row.prompt_id == "a"]
    assert abs(oldest.weight - decay**rounds) < 1e-12
    assert oldest.age == rounds
    assert len(rows) == rounds + 1
