"""Import → export → import is the identity for every format."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemma.labelling.formats.exporting import export
from stemma.labelling.formats.verdicts import compared, examples_of, verdicts_of
from stemma.records.example import Example
from stemma.records.fault import RowFault
from stemma.records.own_data import comparisons_of
from stemma.records.recognition import FORMS, read_as, read_example
from stemma.records.types import Prompt
from tests.unit.labelling.formats.rows import STRATEGIES


def read(row: dict[str, Any]) -> Example:
    return read_example(json.loads(json.dumps(row)))


@pytest.mark.parametrize(("name", "rows"), [(name, rows) for name, several in STRATEGIES.items() for rows in several])
@given(data=st.data())
def test_what_is_exported_is_imported_as_it_was(name: str, rows: st.SearchStrategy[Any], data: st.DataObject) -> None:
    example = read(data.draw(rows))
    assert example.form == name
    exported = export([example], FORMS[name])
    assert [read(row) for row in exported.rows] == [example]
    assert not exported.left_out


@given(data=st.data())
def test_no_export_says_what_was_not_said(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(STRATEGIES)))
    example = read(data.draw(st.sampled_from(STRATEGIES[name]).flatmap(lambda rows: rows)))
    for form in FORMS.values():
        exported = export([example], form)
        again = [read_as(form, json.loads(json.dumps(row))) for row in exported.rows]
        said = {(pair.first.text, pair.second.text) for pair in example.pairs()}
        assert {(pair.first.text, pair.second.text) for one in again for pair in one.pairs()} <= said | {
            texts[::-1] for texts in said
        }
        assert exported.rows or exported.left_out


def test_every_format_has_rows_here() -> None:
    assert STRATEGIES.keys() == FORMS.keys()


def test_fields_of_a_named_form_that_it_does_not_have_are_given_back() -> None:
    row = {"prompt": "hi", "chosen": "a", "rejected": "b", "id": 7, "source": {"from": ["x", None]}}
    with pytest.raises(RowFault):
        read(row)
    form = FORMS["prompt+chosen+rejected"]
    example = read_as(form, row)
    exported = export([example], form)
    assert exported.rows[0]["id"] == 7
    assert read_as(form, exported.rows[0]) == example
    assert not exported.left_out
    assert export([example], FORMS["hh-rlhf"]).left_out == {"row's other_fields": 1}


def test_a_cut_answer_stays_cut_through_export_and_import() -> None:
    row = {"prompt": "hi", "chosen": "a", "rejected": "b c", "rejected_finished": False}
    example = read(row)
    prompt = Prompt(id="p", messages=example.prompt or (), split="train")
    (comparison,) = comparisons_of(example, prompt)
    assert (comparison.chosen_finished, comparison.rejected_finished) == (True, False)
    (verdict,) = verdicts_of(example, prompt.id)
    assert (verdict.first_finished, verdict.second_finished) == (True, False)
    for again in (compared([comparison]), examples_of([verdict], {prompt.id: prompt.messages})):
        assert [answer.finished for answer in again[0].answers] == [True, False]
        assert read(export(again, FORMS["chosen+rejected"]).rows[0]).answers == again[0].answers
    whole = verdict.model_copy(update={"second_finished": True, "annotator": "ben"})
    both = examples_of([verdict, whole], {prompt.id: prompt.messages})
    assert [example.answers[1].finished for example in both] == [False, True]
    assert export([example], FORMS["alpaca-pairs"]).left_out == {"answer's finished": 1}
    with pytest.raises(RowFault, match="must be true or false"):
        read({**row, "chosen_finished": "no"})
