from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemma.labelling.quality.dawid_skene import PRIOR_RIGHT, PRIOR_WRONG, dawid_skene
from stemma.labelling.quality.majority import majority
from stemma.labelling.quality.votes import Labeller, VotedPair, gather
from stemma.records.types import Verdict
from stemma.world.chance import chance

Said = list[tuple[int, int, str, float]]
said = st.lists(
    st.tuples(
        st.integers(0, 7),
        st.integers(0, 4),
        st.sampled_from(["first", "second", "tie", "skip"]),
        st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    ),
    min_size=1,
    max_size=40,
    unique_by=lambda row: row[:2],
)


def verdict(number: int, who: str, choice: str, judge: float | None = None) -> Verdict:
    row: dict[str, object] = {"prompt_id": str(number), "first": "a", "second": "b", "choice": choice}
    return Verdict.model_validate(row | ({"annotator": who} if judge is None else {"judge": who, "probability": judge}))


def simulated(pairs: int, rights: dict[str, float], seed: int) -> tuple[list[VotedPair], list[bool]]:
    """Verdicts of annotators with the given chances of being right, and whether the first answer is better."""
    draw = chance(seed, "verdicts")
    truth = [draw.random() < 0.5 for _ in range(pairs)]
    verdicts = [
        verdict(number, who, "first" if (draw.random() < right) == first else "second")
        for number, first in enumerate(truth)
        for who, right in rights.items()
    ]
    return gather(verdicts), truth


def share_right(first: list[float], truth: list[bool]) -> float:
    return sum((chance > 0.5) == better for chance, better in zip(first, truth, strict=True)) / len(truth)


def test_one_step_by_hand() -> None:
    """Two pairs: on the first both say `first`, on the second they differ, which tells nothing of either."""
    found = dawid_skene(gather([verdict(0, "x", "first"), verdict(0, "y", "first"), verdict(1, "x", "first"),
                                verdict(1, "y", "second")]))  # fmt: skip
    right = found.accuracy[Labeller("annotator", "x")]
    assert found.accuracy[Labeller("annotator", "y")] == pytest.approx(right)
    both = right**2 / (right**2 + (1 - right) ** 2)
    assert found.first == pytest.approx((both, 0.5), abs=1e-4)
    # the M step's fixed point: prior, the pair agreed on, and half a right verdict on the other
    assert right == pytest.approx((PRIOR_RIGHT + both + 0.5) / (PRIOR_RIGHT + PRIOR_WRONG + 2), abs=1e-4)


def test_verdicts_that_nobody_else_checks_keep_the_prior() -> None:
    found = dawid_skene(gather(verdict(number, "x", "first") for number in range(100)))
    assert found.accuracy == {Labeller("annotator", "x"): pytest.approx(0.8)}
    assert found.first == pytest.approx([0.8] * 100)


def test_few_verdicts_do_not_give_certainty_and_many_give_more() -> None:
    few, _ = simulated(5, {"x": 1.0, "y": 1.0, "z": 1.0}, seed=0)
    many, _ = simulated(500, {"x": 1.0, "y": 1.0, "z": 1.0}, seed=0)
    unsure, sure = (max(found.accuracy.values()) for found in map(dawid_skene, (few, many)))
    assert unsure < 0.91
    assert sure > 0.99


def test_accuracies_are_found() -> None:
    rights = {"x": 0.95, "y": 0.8, "z": 0.7, "coin": 0.5, "w": 0.6}
    pairs, _ = simulated(3000, rights, seed=1)
    found = dawid_skene(pairs).accuracy
    assert {who.name: right for who, right in found.items()} == pytest.approx(rights, abs=0.03)


def test_probabilities_are_calibrated() -> None:
    pairs, truth = simulated(4000, {"x": 0.9, "y": 0.75, "z": 0.6}, seed=2)
    found = dawid_skene(pairs).first
    for low in (0.5, 0.6, 0.7, 0.8, 0.9):
        inside = [(max(p, 1 - p), (p > 0.5) == first) for p, first in zip(found, truth, strict=True)
                  if p is not None and low <= max(p, 1 - p) < low + 0.1]  # fmt: skip
        if len(inside) > 100:
            claimed, right = (sum(column) / len(inside) for column in zip(*inside, strict=True))
            assert right == pytest.approx(claimed, abs=4 * 0.5 / len(inside) ** 0.5)


def test_an_adversary_is_found_where_the_majority_fails() -> None:
    pairs, truth = simulated(3000, {"x": 0.75, "y": 0.75, "liar": 0.05}, seed=3)
    found = dawid_skene(pairs)
    assert found.accuracy[Labeller("annotator", "liar")] == pytest.approx(0.05, abs=0.05)
    by_majority = share_right([first for first in majority(pairs) if first is not None], truth)
    by_model = share_right([first for first in found.first if first is not None], truth)
    assert by_majority < 0.65  # both honest ones right: 0.5625, or one of them and the liar
    assert by_model > 0.93  # the liar, turned round, is right in 95 %


def test_the_one_who_labels_most_may_be_the_adversary() -> None:
    """Two honest ones who overlap with the liar on a part still settle who is right."""
    everybody, _ = simulated(200, {"x": 0.95, "y": 0.95, "liar": 0.02}, seed=4)
    alone = [verdict(1000 + number, "liar", "first") for number in range(2000)]
    found = dawid_skene([*everybody, *gather(alone)])
    assert found.accuracy[Labeller("annotator", "liar")] < 0.1
    assert found.first[-1] is not None
    assert found.first[-1] < 0.1


def test_a_judges_verdict_counts_by_how_sure_it_is() -> None:
    sure, unsure, split = (
        dawid_skene(gather([verdict(0, "j", "first", judge=probability)])).first[0] for probability in (1.0, 0.7, 0.5)
    )
    assert sure is not None
    assert unsure is not None
    assert sure > unsure > 0.5
    assert split == 0.5


def test_weights_count_as_so_many_votes() -> None:
    given = [verdict(0, "ann", "first"), verdict(0, "j", "second", judge=0.0)]
    for weight, low, high in ((0.5, 0.5, 1.0), (1.0, 0.4999, 0.5001), (2.0, 0.0, 0.5)):
        pairs = gather(given, {"judge": weight})
        assert majority(pairs) == [pytest.approx(1 / (1 + weight))]
        (first,) = dawid_skene(pairs).first
        assert first is not None
        assert low < first < high


def test_a_vote_without_a_preference_is_split() -> None:
    pairs = gather([verdict(0, "x", "first"), verdict(0, "y", "tie"), verdict(1, "x", "skip")])
    assert majority(pairs) == [0.75, None]
    assert list(dawid_skene(pairs).first) == [pytest.approx(0.8), None]


@given(said)
def test_the_posterior_never_falls_and_everything_is_a_chance(rows: Said) -> None:
    found = dawid_skene(gather(verdict(n, str(who), choice, judge) for n, who, choice, judge in rows))
    steps = found.log_posterior
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(steps))
    assert all(first is None or 0 <= first <= 1 for first in found.first)
    assert all(0 < right < 1 for right in found.accuracy.values())


@given(said)
def test_names_do_not_matter_and_turning_every_pair_round_turns_every_answer(rows: Said) -> None:
    one = gather(verdict(n, str(who), choice, judge) for n, who, choice, judge in rows)
    renamed = gather(verdict(n, "abcde"[4 - who], choice, judge) for n, who, choice, judge in rows)
    turned = gather(
        verdict(n, str(who), {"first": "second", "second": "first"}.get(choice, choice), 1 - judge)
        for n, who, choice, judge in rows
    )
    for how in (majority, lambda pairs: list(dawid_skene(pairs).first)):
        before = how(one)
        assert how(renamed) == pytest.approx(before, abs=1e-6)
        mirrored = [None if first is None else 1 - first for first in how(turned)]
        assert mirrored == pytest.approx(before, abs=1e-6)


@given(said)
def test_on_the_whole_people_are_held_for_right(rows: Said) -> None:
    """Which labels are right side up cannot be told from verdicts; the solution is the one where fewer err."""
    found = dawid_skene(gather(verdict(n, str(who), choice) for n, who, choice, _ in rows))
    assert sum(found.accuracy.values()) >= len(found.accuracy) / 2
