"""What `stemma deploy` makes of prefect.yaml on a real Prefect server, and what the server says of runs.

No worker takes what is asked for here.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.exceptions import Abort
from prefect.flow_engine import run_flow
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.attempt import leave_if_taken_up
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


def schedules(stack: Stack, flow: str) -> list[dict[str, Any]]:
    """The schedules of a deployment, by their names; one that was made in the UI has none."""
    found = stack.ask(f"/deployments/name/{flow}/{flow}")["schedules"]
    return sorted(found, key=lambda one: one["slug"] or "")


def test_what_was_switched_or_added_in_the_ui_stays(stack: Stack, clone: Project) -> None:
    offered = stack.ask("/deployments/name/retrain/retrain")["id"]
    address = f"{stack.api}/deployments/{offered}/schedules"
    (weekly,) = schedules(stack, "retrain")
    assert (weekly["slug"], weekly["active"]) == ("weekly", False)
    httpx.patch(f"{address}/{weekly['id']}", json={"active": True}).raise_for_status()
    httpx.post(f"{stack.api}/deployments/{offered}/pause_deployment").raise_for_status()
    nightly = {
        "schedule": {"cron": "0 1 * * *", "timezone": "Europe/Paris"},
        "active": False,
        "parameters": {"name": "n"},
    }
    httpx.post(address, json=[nightly]).raise_for_status()
    for _ in range(2):
        printed = stack.deploy(clone)
        own, weekly = schedules(stack, "retrain")
        assert (weekly["slug"], weekly["active"]) == ("weekly", True)
        assert own["slug"] is None
        assert {key: own[key] for key in ("active", "parameters")} == {
            key: nightly[key] for key in ("active", "parameters")
        }
        assert own["schedule"] == {**own["schedule"], **nightly["schedule"]}  # type: ignore[dict-item]
        assert "retrain: schedule weekly is switched on at the server, and stays so" in printed
    assert stack.ask(f"/deployments/{offered}")["paused"]
    httpx.post(f"{stack.api}/deployments/{offered}/resume_deployment").raise_for_status()
    httpx.patch(f"{address}/{weekly['id']}", json={"active": False}).raise_for_status()
    httpx.delete(f"{address}/{own['id']}").raise_for_status()


def test_an_entry_that_is_gone_from_the_file_is_gone_from_the_server(stack: Stack, clone: Project) -> None:
    file = clone.path / "prefect.yaml"
    before = file.read_text()
    offered = stack.ask("/deployments/name/reproduce/reproduce")
    keys = ("flow_id", "entrypoint", "pull_steps", "work_pool_name", "tags")
    copied = {"name": "made in the UI", **{key: offered[key] for key in keys}}
    httpx.post(f"{stack.api}/deployments/", json=copied).raise_for_status()
    file.write_text(before.replace("name: reproduce\n", "name: audit\n"))
    assert "no longer offered: reproduce/reproduce" in stack.deploy(clone)
    names = {one["name"] for one in stack.ask("/deployments/filter", {})}
    assert {"audit", "made in the UI"} < names
    assert "reproduce" not in names
    file.write_text(before)
    assert "no longer offered: reproduce/audit" in stack.deploy(clone)
    again = stack.ask("/deployments/name/reproduce/made%20in%20the%20UI")["id"]
    httpx.delete(f"{stack.api}/deployments/{again}").raise_for_status()


@pytest.mark.usefixtures("clone")
def test_an_attempt_that_was_cut_off_leaves_the_run_to_the_next_one(stack: Stack) -> None:
    with temporary_settings({PREFECT_API_URL: stack.api}):
        offered = stack.ask("/deployments/name/dpo/dpo")["id"]
        asked = stack.ask(f"/deployments/{offered}/create_flow_run", {"parameters": {}})["id"]
        with get_client(sync_client=True) as client:
            run = client.read_flow_run(UUID(asked))
        reached: list[str] = []

        @flow(name="dpo")
        def cut_off(settings: object = None) -> None:  # noqa: ARG001 -- what the deployment fills in
            leave_if_taken_up()
            reached.append("alone")
            for state in ("SCHEDULED", "PENDING", "RUNNING"):  # not CRASHED, on which an automation acts
                stack.ask(f"/flow_runs/{asked}/set_state", {"state": {"type": state}, "force": True})
            with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
                leave_if_taken_up()
            reached.append("unheard")
            leave_if_taken_up()
            reached.append("too far")

        with pytest.raises(Abort):
            run_flow(cut_off, flow_run=run)
    assert reached == ["alone", "unheard"]
    left = stack.flow_run(asked)
    assert (left["state"]["type"], left["run_count"]) == ("RUNNING", 2)
    httpx.delete(f"{stack.api}/flow_runs/{asked}").raise_for_status()
