"""What `stemma deploy` makes of prefect.yaml on a real Prefect server, and what the server says of runs.

No worker takes what is asked for here.
"""

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
from flows.service.deployed_values import deployed_values
from stemma.config import Values, read_yaml, write_yaml
from tests.project import Project
from tests.stack.stack import Stack


@pytest.fixture(scope="module")
def clone(stack: Stack) -> Project:
    """The clone of the person who deploys."""
    made = stack.clone("deploying")
    stack.deploy(made)
    return made


def test_a_round_that_is_dropped_or_only_planned_has_not_begun(
    stack: Stack, clone: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", stack.api)
    file = clone.path / "prefect.yaml"
    file.write_text(file.read_text().replace("collision_strategy: ENQUEUE", "collision_strategy: CANCEL_NEW"))
    stack.deploy(clone)

    def ask(state: str, **parameters: Any) -> dict[str, Any]:
        asked = stack.run("retrain", **parameters)
        put(asked, state)
        return stack.flow_run(asked)

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


def test_a_run_compares_its_form_with_the_values_that_the_form_was_deployed_with(stack: Stack, clone: Project) -> None:
    """A run that was asked for before the form was deployed again has nothing to compare it with."""
    values: list[Values] = []

    @flow(name="dpo")
    def read_values(settings: object = None) -> None:  # noqa: ARG001 -- what the deployment fills in
        values.append(deployed_values() or {})

    def execute(run: str) -> None:
        with temporary_settings({PREFECT_API_URL: stack.api}):
            with get_client(sync_client=True) as client:
                flow_run = client.read_flow_run(UUID(run))
            run_flow(read_values, flow_run=flow_run)

    beta = read_yaml(clone.path / "params.yaml")["dpo"]["beta"]
    late = stack.run("dpo")
    write_yaml(clone.path / "params.yaml", {"dpo": {"beta": beta + 1}})
    stack.deploy(clone)
    execute(late)
    execute(stack.run("dpo"))
    assert [sections.get("dpo", {}).get("beta") for sections in values] == [None, beta + 1]
