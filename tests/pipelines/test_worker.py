"""Our worker reports a crash to a real server: once, and never of an attempt that another worker has begun since."""

import asyncio
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Pending, Running, Scheduled

from flows.service.worker import Worker

FIRST: tuple[State, ...] = (Pending(), Running())
PUT_BACK: tuple[State, ...] = (*FIRST, Scheduled())


@flow(name="crashes")
def crashes() -> None:
    """A run of it is only said to be at work."""


async def reported(client: PrefectClient, states: tuple[State, ...]) -> str:
    """The state of a run after these states, once the worker of its first attempt reports a crash."""
    taken: FlowRun = await client.create_flow_run(crashes)
    for state in states:
        await client.set_flow_run_state(taken.id, state, force=True)
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
def test_a_crash_is_reported_unless_the_run_is_past_it(prefect_api: str, states: tuple[State, ...], ended: str) -> None:
    async def told() -> str:
        async with get_client() as client:
            return await reported(client, states)

    with temporary_settings({PREFECT_API_URL: prefect_api}):
        assert asyncio.run(told()) == ended
