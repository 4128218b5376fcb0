import pytest

from benchmarks.quality import HEADER, aligned, broken, table_row

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
    assert broken(GOOD, "sampled") == []


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
    assert broken(GOOD | {changed: value}, "sampled") == [condition]


def test_greedy_answers_are_asked_the_same_of_their_own_numbers() -> None:
    parts = {name: name.split("gold/") for name in GOOD if "gold/" in name}
    greedy = {f"{start}greedy/gold/{end}": GOOD[name] for name, (start, end) in parts.items()}
    assert broken(GOOD | greedy | {"greedy/gold/refusal": 0.1}, "greedy") == ["refusal"]


def test_a_line_of_the_table() -> None:
    row = table_row(0, "ppo", "sampled", GOOD | {"gold/refusal": 0.1})
    assert row == (
        "0",
        "ppo",
        "sampled",
        "0.750 [0.700, 0.800]",
        "0.800 → 0.400",
        "0.500 → 0.460",
        "0.400 → 0.100",
        "1.50",
        "refusal",
    )
    lines = aligned([HEADER, row])
    assert lines[0].index("win rate") == lines[1].index("0.750")
