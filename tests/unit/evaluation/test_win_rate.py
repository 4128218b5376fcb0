import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemma.evaluation.intervals import rate_interval
from stemma.evaluation.win_rate import win_rate

scores = st.sampled_from([-1.3, -1.0, 0.0, 0.7, 1.0])
duels = st.lists(st.tuples(scores, scores), min_size=2, max_size=40)


def test_a_tie_counts_half() -> None:
    # win, tie, loss, tie → (1 + 0.5 + 0 + 0.5) / 4
    result = win_rate([[1.0], [0.0], [-1.0], [0.7]], [[0.0], [0.0], [1.0], [0.7]])
    assert result.interval.estimate == 0.5
    assert (result.wins, result.ties, result.losses) == (0.25, 0.5, 0.25)
    assert result.interval == rate_interval([1.0, 0.5, 0.0, 0.5])


def test_several_answers_are_all_held_against_each_other_and_a_prompt_counts_once() -> None:
    # prompt 1: 1>0, 1=1, 0=0, 0<1 → (1 + .5 + .5 + 0) / 4 = .5; prompt 2: one win of one
    result = win_rate([[1.0, 0.0], [1.0]], [[0.0, 1.0], [-1.0]])
    assert result.interval.estimate == 0.75
    assert result.interval.n == 2
    assert (result.wins, result.ties, result.losses) == (0.625, 0.25, 0.125)


@given(duels)
def test_the_other_side_wins_the_rest(duel: list[tuple[float, float]]) -> None:
    ours, theirs = [[a] for a, _ in duel], [[b] for _, b in duel]
    there, back = win_rate(ours, theirs), win_rate(theirs, ours)
    assert there.interval.estimate + back.interval.estimate == pytest.approx(1)
    assert there.interval.low == pytest.approx(1 - back.interval.high)
    assert there.wins + there.ties + there.losses == pytest.approx(1)


@given(duels, st.integers(0, 39))
def test_the_order_of_the_prompts_does_not_matter(duel: list[tuple[float, float]], turn: int) -> None:
    turned = duel[turn % len(duel) :] + duel[: turn % len(duel)]
    results = [win_rate([[a] for a, _ in d], [[b] for _, b in d]).interval for d in (duel, turned)]
    assert results[0] == pytest.approx(results[1])


@pytest.mark.parametrize(("ours", "theirs"), [([], []), ([[1.0]], [[1.0], [2.0]])])
def test_both_sides_must_cover_the_same_prompts(ours: list[list[float]], theirs: list[list[float]]) -> None:
    with pytest.raises(ValueError, match=f"got {len(ours)} and {len(theirs)}"):
        win_rate(ours, theirs)
