"""The stop rule, by hand: four prompts, and Student's t at 3 degrees of freedom."""

import math
from collections.abc import Sequence
from random import Random

import pytest

from stemma.training.ppo_stop_rule import ERROR, Look, StopRule, slices_of
from stemma.training.ppo_watch_settings import WatchSettings, updates_to_look_after

T_95, T_975 = 2.353363, 3.182446
"""Student's t that 3 degrees of freedom exceed with a chance of 0.05 (two looks make one test) and of 0.025."""
PATIENT = WatchSettings(patience=2, kl_budget=10)
HASTY = WatchSettings(patience=1, kl_budget=10)


def look(update: int, scores: Sequence[float], judged: Sequence[float], kl: float = 1.0) -> Look:
    return Look(update, scores, judged, kl)


FIRST = look(0, [0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0])
HACKED = look(10, [1.0, 1.0, 2.0, 2.0], [0.0, -1.0, -1.0, -2.0])
"""The reward model's scores rise by 1, 1, 2 and 2, and the judge's fall by as much."""


def test_a_fall_is_told_with_its_interval() -> None:
    rule = StopRule(HASTY, looks=2)
    assert rule.add(FIRST) is None
    fall = rule.add(HACKED)
    assert fall is not None
    error = math.sqrt(1 / 3) / math.sqrt(4)  # the differences have variance (4 × 0.5²) / 3
    assert fall.since == 0
    assert fall.scores[:3] == pytest.approx((1.5, 1.5 - T_975 * error, 1.5 + T_975 * error), abs=1e-5)
    assert fall.judged[:3] == pytest.approx((-1.5, -1.5 - T_95 * error, -1.5 + T_95 * error), abs=1e-5)
    assert (rule.reason, rule.best) == ("judge", FIRST)


@pytest.mark.parametrize(
    ("scores", "judged"),
    [
        ([1, 1, 2, 2], [2, 1, 3, 2]),  # both rise
        ([-1, -1, -2, -2], [0, -1, -1, -2]),  # both fall
        ([0, 0, 0, 0], [0, -1, -1, -2]),  # the judge's falls, and the reward model's stays
        ([1, 1, 2, 2], [1, 0, 1, 0]),  # the reward model's rises, and the judge's stays
        ([1, 1, 2, 2], [0, -1, 1, 1]),  # falls by 1, 1, 0 and −1: 0.25 on average, within noise
        ([4, -1, 0, 0], [0, -1, -1, -2]),  # rises by 4, −1, 0 and 0: 0.75 on average, within noise
    ],
)
def test_what_is_no_fall(scores: list[float], judged: list[float]) -> None:
    rule = StopRule(HASTY, looks=2)
    rule.add(FIRST)
    assert rule.add(look(10, scores, judged)) is None
    assert rule.reason == ""


def test_the_more_looks_there_will_be_the_more_a_fall_must_show() -> None:
    for looks, reason in ((2, "judge"), (40, "")):  # 780 pairs: t at 3 degrees and 0.05 / 780 is 25
        rule = StopRule(HASTY, looks)
        rule.add(FIRST)
        rule.add(HACKED)
        assert rule.reason == reason


def test_looks_must_show_it_in_a_row() -> None:
    rule = StopRule(PATIENT, looks=2)  # more are given, so that the test stays as sharp as for two
    rule.add(FIRST)
    for update, seen, reason in ((10, HACKED, ""), (20, FIRST, ""), (30, HACKED, ""), (40, HACKED, "judge")):
        rule.add(seen._replace(update=update))
        assert rule.reason == reason


def test_a_fall_counts_since_any_earlier_look() -> None:
    """Since the best look the reward model's scores have not risen, but since the look before it they have."""
    rule = StopRule(HASTY, looks=3)
    rule.add(FIRST)
    rule.add(look(10, [3, 3, 3, 3], [2, 1, 2, 1]))
    fall = rule.add(look(20, [2.9, 2.9, 3, 3], [-9, -10, -9, -11]))
    assert fall is not None
    assert fall.since == 0
    assert rule.best is not None
    assert rule.best.update == 10


def test_out_of_its_budget_the_kl_stops_at_once_and_is_never_the_best() -> None:
    rule = StopRule(PATIENT, looks=3)
    rule.add(FIRST._replace(kl=10.0))
    assert rule.reason == ""
    rule.add(look(10, [1, 1, 2, 2], [9, 9, 9, 9], kl=10.1))
    assert (rule.reason, rule.best) == ("kl", FIRST._replace(kl=10.0))


def test_the_earliest_of_equal_looks_is_the_best() -> None:
    rule = StopRule(PATIENT, looks=2)
    rule.add(FIRST)
    rule.add(FIRST._replace(update=10))
    assert rule.best == FIRST


def test_it_goes_on_from_its_state() -> None:
    whole, first, second = (StopRule(PATIENT, looks=2) for _ in range(3))
    for seen in (FIRST, HACKED):
        whole.add(seen)
        first.add(seen)
    second.restore(first.state())
    assert second.add(HACKED) == whole.add(HACKED)
    assert second.reason == whole.reason == "judge"
    assert second.best == FIRST


def test_noise_alone_seldom_shows_a_fall() -> None:
    """The reward model's scores rise at every look, and the judge's are noise around one mean."""
    chance, stopped, runs, looks = Random(0), 0, 150, 8  # noqa: S311 -- a test's dice
    for _ in range(runs):
        rule = StopRule(HASTY, looks)
        for update in range(looks):
            scores = [update + chance.gauss(0, 0.1) for _ in range(12)]
            rule.add(look(update, scores, [chance.gauss(0, 1) for _ in range(12)]))
        stopped += rule.reason != ""
    assert 0 < stopped / runs <= ERROR


@pytest.mark.parametrize(
    ("every", "updates", "due"),
    [(10, 50, [0, 10, 20, 30, 40, 50]), (10, 25, [0, 10, 20, 25]), (10, 3, [0, 3]), (1, 2, [0, 1, 2]), (0, 50, [])],
)
def test_the_first_and_the_last_are_looked_at_too(every: int, updates: int, due: list[int]) -> None:
    assert updates_to_look_after(WatchSettings(every=every), updates) == due


def test_the_warm_up_of_the_value_model_is_not_looked_at() -> None:
    assert updates_to_look_after(WatchSettings(every=10), 40, warmup=10) == [0, 20, 30, 40]
    assert updates_to_look_after(WatchSettings(every=0), 40, warmup=10) == []


KINDS = ["a"] * 20 + ["b"] * 20 + ["few"] * 3
BETTER_AND_WORSE = [1.0, 1.2] * 10 + [-0.5, -0.7] * 10 + [0.0] * 3
"""The judge's rise from 0: 1.1 on slice a, -0.6 on slice b; 0.23 over all prompts."""


def zeros(update: int) -> Look:
    return look(update, [0.0] * len(KINDS), [0.0] * len(KINDS))


def test_a_slice_that_gets_worse_stops_it_though_the_mean_rises() -> None:
    whole, by_slice = StopRule(PATIENT, looks=3), StopRule(PATIENT, looks=3, kinds=KINDS)
    for rule, reason in ((whole, ""), (by_slice, "judge")):
        rule.add(zeros(0))
        rule.add(look(10, [1.0, 1.1] * 20 + [1.0] * 3, BETTER_AND_WORSE))
        fall = rule.add(look(20, [1.0, 1.1] * 20 + [1.0] * 3, BETTER_AND_WORSE))
        assert rule.reason == reason
    assert fall is not None
    assert (fall.kind, fall.since, fall.judged.n) == ("b", 0, 20)
    assert fall.judged.estimate == pytest.approx(-0.6)
    assert by_slice.best is not None
    assert by_slice.best.update == 0  # a look that showed the fall is not the best, for all its higher mean


def test_a_slice_on_which_the_reward_model_falls_too_is_no_exploit() -> None:
    rule = StopRule(HASTY, looks=2, kinds=KINDS)
    rule.add(zeros(0))
    assert rule.add(look(10, [3.0] * 20 + [-0.5, -0.6] * 10 + [0.0] * 3, BETTER_AND_WORSE)) is None


def test_patience_is_of_one_slice_not_of_any() -> None:
    rule = StopRule(PATIENT, looks=3, kinds=KINDS)
    rule.add(zeros(0))
    turned = [-number for number in BETTER_AND_WORSE]
    for update, judged in ((10, BETTER_AND_WORSE), (20, turned)):
        assert rule.add(look(update, [1.0, 1.1] * 20 + [1.0] * 3, judged)) is not None
    assert (rule.shown, rule.reason) == (1, "")


def test_slices_are_kinds_of_enough_prompts() -> None:
    assert list(slices_of(KINDS)) == ["", "a", "b"]
    assert list(slices_of(["a"] * 40)) == [""]  # all prompts are of one kind
    assert list(slices_of([None] * 40)) == [""]
    assert slices_of(KINDS)["b"] == list(range(20, 40))


def test_noise_on_slices_seldom_shows_a_fall() -> None:
    """As above, on three slices of a world's look, with the gold rule's few levels; the bound is of the whole run."""
    dice, stopped, runs, looks = Random(1), 0, 120, 6  # noqa: S311 -- a test's dice
    kinds = ["known"] * 24 + ["unknown"] * 24 + ["harmful"] * 20
    for _ in range(runs):
        rule = StopRule(HASTY, looks, kinds)
        for update in range(looks):
            scores = [update + dice.gauss(0, 0.1) for _ in kinds]
            rule.add(look(update, scores, [dice.choice((1.0, 0.7, 0.0, -1.0, -1.3)) for _ in kinds]))
        stopped += rule.reason != ""
    assert stopped / runs <= ERROR


def test_slices_go_on_from_their_state() -> None:
    whole, first, second = (StopRule(PATIENT, looks=3, kinds=KINDS) for _ in range(3))
    seen = [zeros(0), *(look(update, [1.0, 1.1] * 20 + [1.0] * 3, BETTER_AND_WORSE) for update in (10, 20))]
    for one in seen[:2]:
        whole.add(one)
        first.add(one)
    second.restore(first.state())
    assert second.add(seen[2]) == whole.add(seen[2])
    assert (second.reason, second.best) == (whole.reason, whole.best) == ("judge", seen[0])
