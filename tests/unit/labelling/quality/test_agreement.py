from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemma.labelling.quality.agreement import alpha, cohen_kappa, kappas, krippendorff_alpha
from stemma.labelling.quality.votes import MIRRORED, Labeller, gather
from stemma.records.types import Verdict

# Krippendorff 2011, section C: four observers, twelve units, ratings missing.
OBSERVERS = {
    "A": "1 2 3 3 2 1 4 1 2 . . .",
    "B": "1 2 3 3 2 2 4 1 2 5 . 3",
    "C": ". 3 3 3 2 3 4 2 2 5 1 .",
    "D": "1 2 3 3 2 4 4 1 2 5 1 .",
}
UNITS = [
    {name: ratings.split()[unit] for name, ratings in OBSERVERS.items() if ratings.split()[unit] != "."}
    for unit in range(12)
]
ANN, BEN, CLEO = (Labeller("annotator", name) for name in ("ann", "ben", "cleo"))


def verdict(annotator: str, number: int, choice: str, turned: bool = False) -> Verdict:
    first, second = ("no", "yes") if turned else ("yes", "no")
    said = MIRRORED[choice] if turned and choice != "skip" else choice
    return Verdict.model_validate(
        {"prompt_id": str(number), "annotator": annotator, "first": first, "second": second, "choice": said}
    )


rows = st.lists(
    st.tuples(
        st.sampled_from(["ann", "ben", "cleo"]),
        st.integers(0, 6),
        st.sampled_from(["first", "second", "tie", "both_bad", "skip"]),
        st.booleans(),
    ),
    max_size=40,
    unique_by=lambda row: row[:2],
)


def test_kappa_of_cohens_kind_of_table() -> None:
    said = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15
    kappa = cohen_kappa(said)  # agreed 0.7; by chance 0.5 · 0.6 + 0.5 · 0.4 = 0.5
    assert kappa is not None
    assert kappa.estimate == pytest.approx(0.4)
    # the usual large-sample standard error is √(0.7 · 0.3 / (50 · 0.5²)) = 0.13
    assert kappa.low == pytest.approx(0.4 - 1.96 * 0.13, abs=0.05)
    assert kappa.high == pytest.approx(0.4 + 1.96 * 0.13, abs=0.05)


def test_alpha_of_krippendorffs_example() -> None:
    found = krippendorff_alpha(UNITS)
    assert found is not None
    assert found.estimate == pytest.approx(0.743, abs=5e-4)
    assert found.n == 11  # one unit has a single rating
    assert found.low < 0.743 < found.high


def test_alpha_of_two_observers_who_said_yes_and_no() -> None:
    # Krippendorff 2011, section A: ten items, α = 0.095
    meg, owen = "0100000000", "1110010010"
    found = krippendorff_alpha([{"Meg": one, "Owen": other} for one, other in zip(meg, owen, strict=True)])
    assert found is not None
    assert found.estimate == pytest.approx(0.095, abs=5e-4)


def test_the_interval_hangs_on_the_seed_alone() -> None:
    assert krippendorff_alpha(UNITS, seed=1) == krippendorff_alpha(list(reversed(UNITS)), seed=1)
    assert krippendorff_alpha(UNITS, seed=1) != krippendorff_alpha(UNITS, seed=2)


def test_who_always_says_the_same_is_not_taken_for_an_agreement_by_chance() -> None:
    """The better answer may be called first in every pair; two who find it agree as well as two can."""
    pairs = gather(
        verdict(name, n, "first" if n < 9 or name == "ann" else "second") for n in range(10) for name in "ab"
    )
    ((couple, kappa),) = kappas(pairs).items()
    assert couple == (Labeller("annotator", "a"), Labeller("annotator", "b"))
    assert kappa.estimate == 1
    one_off = gather(
        verdict(name, n, "second" if n == 9 and name == "a" else "first") for n in range(10) for name in "ab"
    )
    assert kappas(one_off)[couple].estimate == pytest.approx((0.9 - 0.5) / 0.5)


def test_nobody_to_agree_with() -> None:
    assert alpha(gather([verdict("ann", 0, "first"), verdict("ben", 1, "first"), verdict("ben", 0, "skip")])) is None
    assert cohen_kappa([]) is None


@given(rows, st.randoms())
def test_neither_names_nor_orders_matter(drawn: list[tuple[str, int, str, bool]], random: Random) -> None:
    before = alpha(gather(verdict(*row) for row in drawn))
    other_names = {"ann": "zoe", "ben": "ann", "cleo": "max"}
    renamed = [verdict(other_names[name], number, choice, turned) for name, number, choice, turned in drawn]
    random.shuffle(renamed)
    assert alpha(gather(renamed)) == pytest.approx(before)
    turned = [verdict(name, number, choice, not turned) for name, number, choice, turned in drawn]
    assert alpha(gather(turned)) == pytest.approx(before)
    swapped = [verdict(n, i, MIRRORED.get(choice, choice), turned) for n, i, choice, turned in drawn]
    assert alpha(gather(swapped)) == pytest.approx(before)


@given(st.lists(st.sampled_from(["first", "second", "tie"]), min_size=1, max_size=20), st.integers(2, 5))
def test_who_agree_on_everything_agree_perfectly(choices: list[str], people: int) -> None:
    pairs = gather(
        verdict(str(who), n, choice, bool(who % 2)) for n, choice in enumerate(choices) for who in range(people)
    )
    assert alpha(pairs) == (1, 1, 1, len(choices))
    assert all(kappa == (1, 1, 1, len(choices)) for kappa in kappas(pairs).values())


@given(rows)
def test_intervals_hold_the_estimate_and_stay_within_bounds(drawn: list[tuple[str, int, str, bool]]) -> None:
    pairs = gather(verdict(*row) for row in drawn)
    found = [*kappas(pairs).values(), *filter(None, [alpha(pairs)])]
    for estimate, low, high, _ in found:
        assert -1.001 <= low <= estimate <= high <= 1
