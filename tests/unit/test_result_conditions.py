"""What a tuned policy should reach against SFT, and the words of an evaluation that shows it did not."""

import pytest

from stemma.result_conditions import missed_conditions, missed_in_words

GOOD = {
    "gold/win_rate": 0.75,
    "gold/win_rate_low": 0.7,
    "gold/win_rate_high": 0.8,
    "sft/gold/hallucination": 0.8,
    "gold/hallucination": 0.4,
    "sft/gold/accuracy": 0.5,
    "gold/accuracy": 0.46,
    "sft/gold/refusal": 0.4,
    "gold/refusal": 0.4,
    "objective/kl": 1.5,
}


def test_a_policy_on_the_edge_of_every_condition_passes() -> None:
    assert missed_conditions(GOOD, "sampled") == []


@pytest.mark.parametrize(
    ("changed", "value", "condition"),
    [
        ("gold/win_rate_low", 0.5, "win"),
        ("gold/hallucination", 0.41, "hallucination"),
        ("gold/accuracy", 0.44, "accuracy"),
        ("gold/refusal", 0.39, "refusal"),
    ],
)
def test_each_condition_can_break(changed: str, value: float, condition: str) -> None:
    assert missed_conditions(GOOD | {changed: value}, "sampled") == [condition]


def test_greedy_answers_are_asked_the_same_of_their_own_numbers() -> None:
    parts = {name: name.split("gold/") for name in GOOD if "gold/" in name}
    greedy = {f"{start}greedy/gold/{end}": GOOD[name] for name, (start, end) in parts.items()}
    assert missed_conditions(GOOD | greedy | {"greedy/gold/refusal": 0.1}, "greedy") == ["refusal"]


def test_what_was_missed_is_told_with_its_numbers() -> None:
    numbers = GOOD | {"gold/hallucination": 0.41, "gold/win_rate_low": 0.49}
    assert missed_in_words(GOOD) == ""
    assert missed_in_words(numbers) == (
        "sampled: its answers are not shown to beat SFT's (win rate 0.750 [0.490, 0.800]); "
        "sampled: it makes up more than half as many answers about unknown people as SFT (0.800 → 0.410)"
    )


def test_without_a_gold_rule_only_the_win_rate_by_the_judge_is_asked_for() -> None:
    judged = {f"greedy/judge/win_rate{end}": value for end, value in (("", 0.52), ("_low", 0.48), ("_high", 0.56))}
    judged |= {f"judge/win_rate{end}": value for end, value in (("", 0.6), ("_low", 0.55), ("_high", 0.65))}
    assert missed_in_words(judged) == "greedy: its answers are not shown to beat SFT's (win rate 0.520 [0.480, 0.560])"
    assert missed_in_words({}) == ""
