"""The form that a suspended run shows to a reviewer, and what was answered to it."""

from dataclasses import dataclass
from typing import Literal

from prefect import runtime
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRunInput
from prefect.context import FlowRunContext
from prefect.input.run_input import RunInput, keyset_from_base_key
from pydantic import ConfigDict, Field

PAUSE = "labels"
Decision = Literal["go on", "refuse"]


class Review(RunInput):
    """A reviewer's decision. The event of a closed batch resumes the run without one."""

    model_config = ConfigDict(
        # Prefect's server holds an answer against this: nothing at all, or a name and a decision.
        json_schema_extra={"if": {"minProperties": 1}, "then": {"required": ["reviewer", "decision"]}}
    )

    reviewer: str = Field("", min_length=1, max_length=80, description="Needed: your name, for the record of the run.")
    decision: Decision = Field("go on", description="Go on with the labels of the closed batch, or end the run here.")
    note: str = Field("", max_length=2000, description="Why.")


@dataclass(frozen=True)
class Given:
    """A review as it was given."""

    reviewer: str
    decision: Decision
    note: str
    time: str
    """When Prefect's server took it, in ISO 8601."""
    pause: int
    """The suspension to which it is the answer, from 0."""


def pauses() -> int:
    """How often the present flow run was suspended for labels."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or context.flow_run.empirical_policy is None:
        return 0
    keys = context.flow_run.empirical_policy.pause_keys or set()
    return sum(key.startswith(PAUSE) for key in keys)


def pause_key(number: int) -> str:
    """The name of the flow run's suspension of that number, from 0."""
    return f"{PAUSE}-{number}"


def given_reviews() -> list[Given]:
    """What reviewers answered to the present flow run's suspensions; those that an event ended have no answer."""
    keys = [keyset_from_base_key(f"suspended-{pause_key(number)}")["response"] for number in range(pauses())]
    if not keys:
        return []
    with get_client(sync_client=True) as client:
        found = {
            key: answer
            for key in keys
            for answer in client.filter_flow_run_input(runtime.flow_run.id, key, limit=1, exclude_keys=set())
        }
    return [_given(found[key], number) for number, key in enumerate(keys) if key in found]


def _given(answer: FlowRunInput, pause: int) -> Given:
    review = Review.load_from_flow_run_input(answer)
    time = answer.created.isoformat() if answer.created else ""
    return Given(review.reviewer, review.decision, review.note, time, pause)
