import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemma.labelling.ordering import ensemble_disagreement, places, uncertainty, verdict_disagreement

differences = st.floats(-50, 50)
teachings = st.lists(st.floats(0, 1), max_size=60)


def test_uncertainty_by_hand() -> None:
    assert uncertainty(0) == 1
    assert uncertainty(math.log(3)) == pytest.approx(0.25 * 2 + 0.75 * math.log2(4 / 3))
    assert uncertainty(1000) == uncertainty(-1000) == 0


@given(differences, differences)
def test_uncertainty_falls_with_the_distance_and_not_with_the_order(one: float, other: float) -> None:
    assert uncertainty(one) == pytest.approx(uncertainty(-one))
    if abs(one) > abs(other):
        assert uncertainty(one) <= uncertainty(other) + 1e-12


def test_who_contradict_each_other_disagree_and_who_are_unsure_alike_do_not() -> None:
    assert ensemble_disagreement([30, -30]) == pytest.approx(1)
    assert ensemble_disagreement([0, 0, 0]) == 0
    # preferences ¾ and ¼: one bit at their mean, 0.8113 each
    assert ensemble_disagreement([math.log(3), -math.log(3)]) == pytest.approx(1 - 0.811278, abs=1e-6)


@given(st.lists(differences, min_size=1, max_size=6))
def test_disagreement_is_a_share_of_a_bit(scores: list[float]) -> None:
    found = ensemble_disagreement(scores)
    assert 0 <= found <= 1 + 1e-12
    assert ensemble_disagreement(scores[:1]) == 0
    assert ensemble_disagreement([-score for score in reversed(scores)]) == pytest.approx(found, abs=1e-9)


def test_verdicts_leave_open_what_they_contradict_each_other_on() -> None:
    split, one, three = verdict_disagreement(2, 2), verdict_disagreement(1, 0), verdict_disagreement(0, 3)
    assert verdict_disagreement(0, 0) == split == 1
    assert one == pytest.approx(2 / 3 * math.log2(3 / 2) + 1 / 3 * math.log2(3))
    assert three < one < split


@given(teachings, st.floats(0, 1), st.integers(0, 5))
def test_every_pair_has_a_place_of_its_own(teaching: list[float], share: float, seed: int) -> None:
    found = places(teaching, share, seed)
    assert found == places(teaching, share, seed)
    assert len({place.priority for place in found}) == len(found) == len(teaching)
    assert all(0 < place.priority <= 1 for place in found)
    assert sum(place.at_random for place in found) == round(share * len(teaching))


@given(teachings, st.floats(0, 1))
def test_what_teaches_more_comes_first_but_for_the_share_left_to_chance(teaching: list[float], share: float) -> None:
    found = places(teaching, share, seed=0)
    ordered = sorted(
        (-place.priority, teach) for place, teach in zip(found, teaching, strict=True) if not place.at_random
    )
    assert [teach for _, teach in ordered] == sorted((teach for _, teach in ordered), reverse=True)


@given(teachings, st.floats(0, 1), st.data())
def test_every_stretch_has_its_share_left_to_chance(teaching: list[float], share: float, data: st.DataObject) -> None:
    by_place = sorted(places(teaching, share, seed=0), reverse=True)
    begin = data.draw(st.integers(0, len(by_place)))
    end = data.draw(st.integers(begin, len(by_place)))
    drawn = round(share * len(teaching)) / max(1, len(teaching))
    assert abs(sum(place.at_random for place in by_place[begin:end]) - drawn * (end - begin)) <= 1


def test_what_is_left_to_chance_is_like_all_pairs() -> None:
    """The mean of the pairs left to chance is that of all, whatever the order goes by."""
    teaching = [number / 4000 for number in range(4000)]
    drawn = [teach for place, teach in zip(places(teaching, 0.25, seed=1), teaching, strict=True) if place.at_random]
    assert sum(drawn) / len(drawn) == pytest.approx(0.5, abs=4 * 0.29 / 1000**0.5)


def test_a_share_is_a_share() -> None:
    with pytest.raises(ValueError, match=r"between 0 and 1, got 1\.5"):
        places([0.5], 1.5, seed=0)
