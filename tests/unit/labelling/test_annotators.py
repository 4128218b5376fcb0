import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemma.labelling.annotators import AnnotatorConfig, better_answer, flip_chance, give_verdict
from stemma.world.chance import chance

EXACT = AnnotatorConfig(name="exact", noise=0.0)
WRONG = AnnotatorConfig(name="wrong", noise=1.0)


def test_the_better_answer_is_the_one_worth_more() -> None:
    assert better_answer(1.0, -1.0) == "first"
    assert better_answer(-0.3, 0.0) == "second"
    assert better_answer(1.0 - 0.3, 0.7) == "tie"


@pytest.mark.parametrize(
    ("first", "second", "truth", "expected"),
    [
        ("short", "much longer", "first", 0.1 + 0.05 - 0.02),  # the better one is shorter and shown first
        ("short", "much longer", "second", 0.1 - 0.05 + 0.02),
        ("much longer", "short", "second", 0.1 + 0.05 + 0.02),
        ("equal", "alike", "first", 0.1 - 0.02),
        ("short", "much longer", "tie", 0.0),
    ],
)
def test_leanings_shift_the_chance_of_an_error(first: str, second: str, truth: str, expected: float) -> None:
    annotator = AnnotatorConfig(name="a", noise=0.1, length_bias=0.05, position_bias=0.02)
    assert flip_chance(annotator, first, second, truth) == pytest.approx(expected)  # type: ignore[arg-type]


@given(st.floats(0, 1), st.floats(-1, 1), st.floats(-1, 1), st.sampled_from(["first", "second"]))
def test_a_chance_stays_a_chance(noise: float, length: float, position: float, truth: str) -> None:
    annotator = AnnotatorConfig(name="a", noise=noise, length_bias=length, position_bias=position)
    assert 0 <= flip_chance(annotator, "one", "three", truth) <= 1  # type: ignore[arg-type]


@given(st.integers())
def test_noise_of_zero_and_one_are_certain(seed: int) -> None:
    assert give_verdict(EXACT, "a", "b", "first", chance(seed)) == "first"
    assert give_verdict(WRONG, "a", "b", "first", chance(seed)) == "second"
    assert give_verdict(WRONG, "a", "b", "second", chance(seed)) == "first"
    assert give_verdict(WRONG, "a", "b", "tie", chance(seed)) == "tie"
