"""What Prefect's server lets a reviewer, or an event, answer to a suspended run."""

from typing import Any

import pytest
from prefect.utilities.schema_tools import ValidationError, validate

from flows.pages import page_key
from flows.people.review import Review
from flows.people.waiting_page import waiting_page
from stemma.labelling.store.batch import Progress

SCHEMA = Review.model_json_schema()


@pytest.mark.parametrize(
    "answer",
    [{}, {"reviewer": "Zoë", "decision": "go on"}, {"reviewer": "Zoë", "decision": "refuse", "note": "too few"}],
)
def test_an_event_says_nothing_and_a_reviewer_gives_a_name(answer: dict[str, Any]) -> None:
    validate(answer, SCHEMA, raise_on_error=True)
    assert Review(**answer).reviewer == answer.get("reviewer", "")


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ({"decision": "refuse"}, "'reviewer' is a required property"),
        ({"reviewer": "", "decision": "refuse"}, "should be non-empty"),
        ({"reviewer": "Zoë", "decision": "maybe"}, "is not one of"),
        ({"reviewer": "Zoë", "decision": "go on", "more": 1}, "more"),
    ],
)
def test_a_decision_without_a_name_is_refused(answer: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        validate(answer, SCHEMA, raise_on_error=True)


def test_the_page_of_a_waiting_run() -> None:
    assert page_key("labels", "Try_7.b") == "labels-try-7-b"
    page = waiting_page("r", "b", "http://127.0.0.1:1", Progress(items=40, wanted=80, given=20))
    assert "[label](http://127.0.0.1:1)" in page
    assert "| 40 | 20 | 80 | 25% |" in page
