"""What `stemma deploy` makes of prefect.yaml on a real Prefect server; no worker takes what is asked for here."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest

from flows.events import prefect_of
from flows.round_events import round_began
from tests.project import Project
from tests.stack.stack import Stack


@pytest.fixture(scope="module")
def clone(stack: Stack) -> Iterator[Project]:
    """The clone of the person who deploys; what was deployed is put back in the end."""
    made = stack.clone("deploying")
    stack.deploy(made)
    yield made
    made.git("checkout", "--quiet", ".")
    stack.deploy(made)


@pytest.fixture
def rounds(stack: Stack) -> Iterator[list[str]]:
    """Rounds are dropped while one is at work; those that a test asks for are gone after it."""
    asked: list[str] = []
    offered = stack.ask("/deployments/name/retrain/retrain")["id"]

    def drop_or_queue(strategy: str) -> None:
        options = {"concurrency_limit": 1, "concurrency_options": {"collision_strategy": strategy}}
        httpx.patch(f"{stack.api}/deployments/{offered}", json=options).raise_for_status()

    drop_or_queue("CANCEL_NEW")
    yield asked
    for run in asked:
        httpx.delete(f"{stack.api}/flow_runs/{run}").raise_for_status()
    drop_or_queue("ENQUEUE")


def test_a_round_that_is_dropped_or_only_planned_has_not_begun(
    stack: Stack, clone: Project, rounds: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", stack.api)

    def ask(state: str, **parameters: Any) -> dict[str, Any]:
        rounds.append(stack.run("retrain", **parameters))
        put(rounds[-1], state)
        return stack.flow_run(rounds[-1])

    def put(run: str, state: str) -> None:
        stack.ask(f"/flow_runs/{run}/set_state", {"state": {"type": state}})

    def began() -> datetime | None:
        with prefect_of(clone.path) as client:
            assert client
            return round_began(client)

    first = ask("PENDING")
    due = datetime.fromisoformat(first["expected_start_time"])
    assert began() == due
    dropped = ask("PENDING")
    assert dropped["state"]["type"] == "CANCELLED"
    assert began() is None
    put(first["id"], "RUNNING")
    put(first["id"], "COMPLETED")
    assert began() == due
    plan = ask("PENDING", dry_run=True)
    assert plan["state"]["type"] == "PENDING"
    put(plan["id"], "COMPLETED")
    assert began() == due
