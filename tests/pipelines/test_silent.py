"""Runs that died while Prefect's server was away: the last that was heard of them is long ago, and nothing comes."""

import threading
from collections.abc import Iterator
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Running

from flows.events import event, send
from flows.service.automations import HEARTBEAT, MISSED_BEATS
from flows.service.silent import crash_silent_runs

NAME = "falls-silent"
BEAT = 1.0


@flow(name=NAME)
def falls_silent() -> None:
    """A run of it is only said to be at work."""


@pytest.fixture
def client(prefect_api: str) -> Iterator[SyncPrefectClient]:
    with temporary_settings({PREFECT_API_URL: prefect_api}), get_client(sync_client=True) as made:
        yield made


@pytest.fixture
def at_work(client: SyncPrefectClient) -> Iterator[dict[str, UUID]]:
    """Three runs of a deployment that are at work."""
    deployment = client.create_deployment(client.create_flow(falls_silent), name=NAME)
    names = ("dead", "alive", "unheard")
    runs = {name: client.create_flow_run_from_deployment(deployment, name=name).id for name in names}
    for run in runs.values():
        client.set_flow_run_state(run, Running())
    yield runs
    for run in runs.values():
        client.set_flow_run_state(run, Completed(), force=True)


def beat(client: SyncPrefectClient, run: UUID) -> None:
    send(client, [event(HEARTBEAT, {"id": f"prefect.flow-run.{run}"}, {})])


def beats(client: SyncPrefectClient, run: UUID) -> int:
    wanted = {"event": {"name": [HEARTBEAT]}, "resource": {"id": [f"prefect.flow-run.{run}"]}}
    found: int = client.request("POST", "/events/filter", json={"filter": wanted, "limit": 1}).json()["total"]
    return found


def test_a_run_of_which_nothing_comes_is_called_crashed(client: SyncPrefectClient, at_work: dict[str, UUID]) -> None:
    beat(client, at_work["dead"])
    beat(client, at_work["alive"])
    over = threading.Event()
    while not all(beats(client, at_work[name]) for name in ("dead", "alive")):
        assert not over.wait(0.5)
    over.wait(MISSED_BEATS * BEAT)  # both are silent now, as after an outage

    def go_on_beating() -> None:
        while not over.wait(BEAT / 2):
            beat(client, at_work["alive"])

    heart = threading.Thread(target=go_on_beating)
    heart.start()
    try:
        assert crash_silent_runs(client, ["another"], BEAT) == []
        assert crash_silent_runs(client, [NAME], BEAT) == ["dead"]
    finally:
        over.set()
        heart.join()
    states = {name: client.read_flow_run(run).state for name, run in at_work.items()}
    assert {name: state.name for name, state in states.items() if state} == {
        "dead": "Crashed", "alive": "Running", "unheard": "Running",
    }  # fmt: skip
    assert states["dead"] is not None
    assert "Nothing was heard of this run since 20" in str(states["dead"].message)
