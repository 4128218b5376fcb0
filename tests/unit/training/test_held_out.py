import pytest

from stemma.errors import TrainingError
from stemma.evaluation.intervals import wilson
from stemma.records.types import Split
from stemma.training.held_out import HeldOut, as_metrics, held_out_of, measure, require_better_than_chance, split_of
from tests.tiny import tiny_comparisons

REMEDY = "Look at the labels."


def measured(**splits: tuple[float, int]) -> dict[Split, HeldOut]:
    return {split: HeldOut(wilson(right, n), wilson(n / 2, n)) for split, (right, n) in splits.items()}  # type: ignore[misc]


def test_comparisons_are_divided_by_split() -> None:
    rows = [*tiny_comparisons("train"), *tiny_comparisons("test"), *tiny_comparisons("judge")]
    assert split_of(rows, "train") == tiny_comparisons("train")
    assert held_out_of(rows) == {"test": tiny_comparisons("test")}


def test_accuracy_stands_beside_what_length_alone_would_reach() -> None:
    train, held_out = tiny_comparisons("train"), tiny_comparisons("test")[:4]
    kinds = ("a", "a/b", "a/b", None)
    held_out = [row.model_copy(update={"kind": kind}) for row, kind in zip(held_out, kinds, strict=True)]
    result = measure(train, held_out, [1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0])
    assert result.accuracy.estimate == 0.875  # three right, one tie
    assert result.length.estimate == 1.0  # the abstention is always the shorter answer
    assert as_metrics({"test": result}) == {
        "test/accuracy": 0.875,
        "test/accuracy_low": result.accuracy.low,
        "test/accuracy_high": result.accuracy.high,
        "test/length_accuracy": 1.0,
        "test/pairs": 4,
        "slice/a/accuracy": 1.0,
        "slice/a/accuracy_low": wilson(1, 1).low,
        "slice/a/accuracy_high": 1.0,
        "slice/a/pairs": 1,
        "slice/a_b/accuracy": 1.0,
        "slice/a_b/accuracy_low": wilson(2, 2).low,
        "slice/a_b/accuracy_high": 1.0,
        "slice/a_b/pairs": 2,
    }


def test_what_is_better_than_chance_passes_and_what_only_looks_so_does_not() -> None:
    """The lower end of the interval decides: it is 51.2 % for 61 of 100, and 49.2 % for 59."""
    require_better_than_chance(measured(validation=(61, 100), test=(10, 100)), "the model", REMEDY)
    with pytest.raises(TrainingError, match="59"):
        require_better_than_chance(measured(validation=(59, 100), test=(100, 100)), "the model", REMEDY)


def test_chance_is_told_with_its_numbers_and_the_remedy() -> None:
    message = r"the model is no better than chance: .* 52\.0% of 100 validation pairs .* 42\.\d% to 61\.\d%.* Look at"
    with pytest.raises(TrainingError, match=message):
        require_better_than_chance(measured(validation=(52, 100), test=(100, 100)), "the model", REMEDY)


def test_with_few_validation_pairs_the_test_pairs_decide() -> None:
    require_better_than_chance(measured(validation=(5, 20), test=(70, 100)), "the model", REMEDY)
    with pytest.raises(TrainingError, match="100 test pairs"):
        require_better_than_chance(measured(validation=(20, 20), test=(50, 100)), "the model", REMEDY)


def test_with_few_of_both_they_decide_together() -> None:
    require_better_than_chance(measured(validation=(25, 30), test=(25, 30)), "the model", REMEDY)
    with pytest.raises(TrainingError, match="60 validation and test pairs"):
        require_better_than_chance(measured(validation=(15, 30), test=(16, 30)), "the model", REMEDY)


def test_without_held_out_pairs_nothing_is_held_against_chance_and_with_one_something_is() -> None:
    require_better_than_chance({}, "the model", REMEDY)
    with pytest.raises(TrainingError, match="of 1 test pairs"):
        require_better_than_chance({"test": measured(validation=(1, 1), test=(0, 1))["test"]}, "the model", REMEDY)
