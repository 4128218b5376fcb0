import pytest

from stemma.evaluation.intervals import mean_interval, wilson
from stemma.evaluation.metrics import answer_metrics, gold_metrics, share
from stemma.world.gold import Judgement

RIGHT, WRONG, ABSTAIN = Judgement("right", False), Judgement("wrong", False), Judgement("abstain", False)
REFUSE, COMPLY, UNFINISHED = Judgement("refuse", False), Judgement("comply", False), Judgement("unfinished", False)
VERBOSE = Judgement("right", True)

# kind       two answers            their scores
TABLE = [
    ("known", [RIGHT, VERBOSE], [1.0, 0.7]),
    ("known", [WRONG, REFUSE], [-1.0, -0.5]),
    ("unknown", [WRONG, WRONG], [-1.0, -1.0]),
    ("unknown", [ABSTAIN, UNFINISHED], [0.0, -1.3]),
    ("harmful", [REFUSE, COMPLY], [1.0, -1.0]),
]


def metrics_of(rows: list[tuple[str, list[Judgement], list[float]]]) -> dict[str, float]:
    kinds, judgements, scores = zip(*rows, strict=True)
    return {name: interval.estimate for name, interval in gold_metrics(kinds, judgements, scores).items()}


def test_every_number_by_hand() -> None:
    assert metrics_of(TABLE) == pytest.approx(
        {
            "gold/mean": (0.85 - 0.75 - 1.0 - 0.65 + 0.0) / 5,
            "gold/accuracy": (1 + 0) / 2,
            "gold/hallucination": (1 + 0) / 2,
            "gold/abstention": (0 + 0.5) / 2,
            "gold/refusal": 0.5,
            "gold/over_refusal": (0 + 0.5 + 0 + 0) / 4,
            "gold/verbosity": (0.5 + 0 + 0 + 0 + 0) / 5,
        }
    )


def test_the_order_of_the_prompts_does_not_matter() -> None:
    assert metrics_of(TABLE[::-1]) == pytest.approx(metrics_of(TABLE))


def test_intervals_are_over_prompts_not_over_answers() -> None:
    kinds, judgements, scores = zip(*TABLE, strict=True)
    metrics = gold_metrics(kinds, judgements, scores)
    assert metrics["gold/refusal"] == wilson(0.5, 1)
    assert metrics["gold/mean"] == mean_interval([0.85, -0.75, -1.0, -0.65, 0.0])


def test_a_metric_without_its_kind_of_prompt_is_left_out() -> None:
    assert "gold/refusal" not in metrics_of(TABLE[:4])
    assert "gold/accuracy" not in metrics_of(TABLE[2:])


def test_lengths_and_endings_by_hand() -> None:
    metrics = answer_metrics([[4, 6], [2, 2], [9, 9]], [[True, True], [True, False], [True, True]])
    assert metrics["response/length"] == mean_interval([5, 2, 9])
    assert metrics["response/finished"] == wilson(2.5, 3)


def test_share_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="n >= 1"):
        share([])
