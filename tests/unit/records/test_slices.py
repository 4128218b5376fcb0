import pytest

from stemma.errors import DataError
from stemma.records.fault import RowFault
from stemma.records.own_data import make_dataset
from stemma.records.recognition import read_example
from stemma.records.slices import check_slices, slice_reader

ROW = {"prompt": "hi", "chosen": "hello", "rejected": "go away"}
SHARES = {"judge": 0.0, "validation": 0.0, "test": 0.0}


def test_a_field_of_no_form_names_the_slice_of_prompts_and_comparisons() -> None:
    example = slice_reader(read_example, "topic")(ROW | {"topic": "greetings"})
    assert example == read_example(ROW).model_copy(update={"kind": "greetings"})
    data = make_dataset([example], SHARES)  # type: ignore[arg-type]
    assert (data.prompts[0].kind, data.comparisons[0].kind) == ("greetings", "greetings")


def test_a_field_that_the_form_needs_stays() -> None:
    example = slice_reader(read_example, "chosen")(ROW)
    assert (example.kind, example.answers) == ("hello", read_example(ROW).answers)


@pytest.mark.parametrize(("value", "kind"), [(None, None), ("", None), (3, "3"), (True, "True"), ("x" * 99, "x" * 60)])
def test_names_of_slices(value: object, kind: str | None) -> None:
    assert slice_reader(read_example, "topic")(ROW | {"topic": value}).kind == kind


def test_a_list_names_no_slice() -> None:
    with pytest.raises(RowFault, match="names a slice"):
        slice_reader(read_example, "topic")(ROW | {"topic": ["a"]})


def test_without_a_field_the_reader_is_the_one_given() -> None:
    assert slice_reader(read_example, "") is read_example


def test_a_field_that_no_row_has_is_told() -> None:
    with pytest.raises(DataError, match=r"data.slice_field names 'topic', and none of the 1 rows"):
        check_slices([read_example(ROW)], "topic")
    check_slices([read_example(ROW)], "")


def test_a_field_that_may_judge_the_answer_is_no_slice_of_rows_that_have_no_meaning_without_it() -> None:
    read = slice_reader(read_example, "label")
    with pytest.raises(RowFault, match="may say how good an answer is, so the row is not taken without it"):
        read({"prompt": "a", "completion": "b", "label": False})
    assert read({"text": "a", "label": "sports"}).kind == "sports"
