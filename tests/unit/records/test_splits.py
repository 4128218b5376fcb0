from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemma.records.splits import split_of
from stemma.records.types import Conversation, Message, Split

SHARES: dict[Split, float] = {"judge": 0.2, "validation": 0.1, "test": 0.1}


def asked(*sayings: str) -> Conversation:
    roles = ("user", "assistant")
    return tuple(
        Message.model_validate({"role": roles[turn % 2], "content": said}) for turn, said in enumerate(sayings)
    )


def test_the_shares_are_kept() -> None:
    counts = Counter(split_of(asked(f"question {number}"), SHARES) for number in range(4000))
    assert {split: count / 4000 for split, count in counts.items()} == {
        "train": pytest.approx(0.6, abs=0.03),  # four standard errors
        "judge": pytest.approx(0.2, abs=0.03),
        "validation": pytest.approx(0.1, abs=0.02),
        "test": pytest.approx(0.1, abs=0.02),
    }


@given(st.text(min_size=1), st.floats(0, 0.4), st.floats(0, 0.4))
def test_the_test_split_stays_when_other_shares_change(question: str, judge: float, validation: float) -> None:
    before = split_of(asked(question), SHARES)
    after = split_of(asked(question), {"judge": judge, "validation": validation, "test": 0.1})
    assert (before == "test") == (after == "test")


@given(st.text(min_size=1))
def test_a_longer_conversation_stays_with_the_one_it_goes_on_from(question: str) -> None:
    system = Message(role="system", content="be kind")
    assert split_of(asked(question), SHARES) == split_of((system, *asked(question, "yes", "why?")), SHARES)


def test_a_share_of_one_takes_everything_and_zero_nothing() -> None:
    assert split_of(asked("hi"), {"judge": 0, "validation": 0, "test": 1}) == "test"
    assert split_of(asked("hi"), {"judge": 0, "validation": 0, "test": 0}) == "train"


def test_the_assignment_is_the_same_on_every_machine() -> None:
    splits = [split_of(asked(f"question {number}"), SHARES) for number in range(4)]
    assert splits == ["train", "train", "validation", "train"]
