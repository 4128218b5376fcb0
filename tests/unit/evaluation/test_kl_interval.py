import pytest

from stemma.evaluation.intervals import mean_interval
from stemma.evaluation.kl import kl_interval


def test_each_prompt_counts_once_with_the_mean_of_its_answers() -> None:
    # prompt 1: −1 − (−2) = 1 and −2 − (−5) = 3 → 2; prompt 2: 0 and 1 → 0.5
    interval = kl_interval([-1.0, -2.0, -3.0, -4.0], [-2.0, -5.0, -3.0, -5.0], samples=2)
    assert interval == mean_interval([2.0, 0.5])


def test_a_policy_has_not_moved_from_itself() -> None:
    assert kl_interval([-1.0, -2.5], [-1.0, -2.5], samples=1)[:3] == (0, 0, 0)


def test_lists_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        kl_interval([-1.0, -2.0], [-1.0], samples=1)
