import pytest

from stemma.evaluation.repetition import repeated_share


@pytest.mark.parametrize(
    ("tokens", "share"),
    [
        ([], 0.0),
        ([7, 7], 0.0),  # no 3-gram
        ([1, 2, 3, 4, 5], 0.0),
        ([1, 2, 3, 1, 2, 3], 1 / 4),  # 123 231 312 123: one of four stood there before
        ([7, 7, 7, 7, 7], 2 / 3),  # 777 777 777
        ([1, 2, 1, 2, 1, 2, 1], 3 / 5),  # 121 212 121 212 121
    ],
)
def test_the_share_of_repeated_3_grams(tokens: list[int], share: float) -> None:
    assert repeated_share(tokens) == pytest.approx(share)
