"""Our worker reports a crash to a real server: once, and never of an attempt that another worker has begun since."""

import asyncio
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Pending, Running, Scheduled, Suspended

from flows.service.worker import Worker

FIRST: tuple[State, ...] = (Pending(), Running())
PUT_BACK: tuple[State, ...] = (*FIRST, Scheduled())


@flow(name="crashes")
def crashes() -> None:
    """A run of it is only said to be at work."""


async def new_run(client: PrefectClient, *, resumed: bool) -> FlowRun:
    """A run as a worker takes it: scheduled anew, or after a suspension."""
    deployment = await client.create_deployment(await client.create_flow(crashes), name="crashes")
    run = await client.create_flow_run_from_deployment(deployment)
    if resumed:
        for state in (*FIRST, Suspended(timeout_seconds=600, pause_key="labels-0")):
            await client.set_flow_run_state(run.id, state)
        await client.resume_flow_run(run.id)
    return await client.read_flow_run(run.id)


async def reported(client: PrefectClient, states: tuple[State, ...], *, resumed: bool) -> str:
    """The state of a run after these states, once the worker of its first attempt reports a crash."""
    taken = await new_run(client, resumed=resumed)
    for state in states:
        await client.set_flow_run_state(taken.id, state, force=state.is_scheduled())
    worker = Worker(work_pool_name="none")
    await worker._propose_crashed_state(taken, "Process exited with status code: -9.", client)
    ended = await named_state(client, taken.id)
    await client.set_flow_run_state(taken.id, Completed(), force=True)
    return ended


async def named_state(client: PrefectClient, run: UUID) -> str:
    return (await client.read_flow_run(run)).state_name or ""


@pytest.mark.parametrize(
    ("states", "ended"),
    [
        pytest.param((Pending(),), "Crashed", id="it never began"),
        pytest.param(FIRST, "Crashed", id="it is at work"),
        pytest.param(PUT_BACK, "Scheduled", id="it was put back"),
        pytest.param((*PUT_BACK, Pending()), "Pending", id="another worker took it"),
        pytest.param((*PUT_BACK, Pending(), Running()), "Running", id="another worker is at it"),
    ],
)
@pytest.mark.parametrize("resumed", [False, True], ids=["new", "resumed"])
def test_a_crash_is_reported_unless_the_run_is_past_it(
    prefect_api: str, states: tuple[State, ...], ended: str, *, resumed: bool
) -> None:
    async def told() -> str:
        async with get_client() as client:
            return await reported(client, states, resumed=resumed)

    with temporary_settings({PREFECT_API_URL: prefect_api}):
        assert asyncio.run(told()) == ended
