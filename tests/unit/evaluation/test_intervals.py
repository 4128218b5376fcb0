import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest  # type: ignore[attr-defined]

from stemma.evaluation.intervals import mean_interval, rate_interval, wilson

counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
numbers = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30)
rates = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_equals_published_intervals(successes: int, n: int, low: float, high: float) -> None:
    interval = wilson(successes, n)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)
    assert interval.estimate == successes / n
    assert interval.n == n


@given(counts)
def test_wilson_agrees_with_scipy(count: tuple[int, int]) -> None:
    theirs = binomtest(*count).proportion_ci(method="wilson")
    assert wilson(*count)[1:3] == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@given(counts)
def test_wilson_holds_its_estimate_and_narrows_with_more_trials(count: tuple[int, int]) -> None:
    successes, n = count
    interval, wider = wilson(4 * successes, 4 * n), wilson(successes, n)
    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1
    assert interval.high - interval.low < wider.high - wider.low


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (3, 2), (-1, 2)])
def test_wilson_refuses_impossible_counts(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"got {successes} of {n}"):
        wilson(successes, n)


def test_mean_interval_by_hand() -> None:
    # mean 2.5, s = √(5/3), standard error √(5/12) = 0.6455, t(3 degrees, 0.975) = 3.18245 (any printed t table)
    interval = mean_interval([1, 2, 3, 4])
    half = 3.18245 * math.sqrt(5 / 12)
    assert interval == pytest.approx((2.5, 2.5 - half, 2.5 + half, 4), abs=1e-4)


@given(numbers.flatmap(lambda values: st.tuples(st.just(values), st.permutations(values))))
def test_mean_interval_does_not_care_for_order(pair: tuple[list[float], list[float]]) -> None:
    values, shuffled = pair
    assert mean_interval(shuffled) == pytest.approx(mean_interval(values), rel=1e-9, abs=1e-6)


@given(numbers)
def test_mean_interval_holds_its_estimate(values: list[float]) -> None:
    interval = mean_interval(values)
    assert interval.low <= interval.estimate <= interval.high


def test_mean_of_one_value_has_no_interval() -> None:
    with pytest.raises(ValueError, match="at least 2 values, got 1"):
        mean_interval([3.0])


def test_rates_that_are_all_alike_get_wilsons_interval() -> None:
    assert rate_interval([1.0] * 10) == wilson(10, 10)
    assert rate_interval([0.5] * 10) == wilson(5, 10)


@given(rates)
def test_rate_interval_stays_within_0_and_1(values: list[float]) -> None:
    interval = rate_interval(values)
    assert 0 <= interval.low <= interval.high <= 1
    assert interval.low - 1e-9 <= interval.estimate <= interval.high + 1e-9


@pytest.mark.parametrize("values", [[], [0.5, 1.5]])
def test_rate_interval_refuses_what_is_no_rate(values: list[float]) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        rate_interval(values)
