"""Runs that died while Prefect's server was away too.

By an automation of ours the server calls a run crashed whose next heartbeat does not come in time. What was due more
than a minute before it starts, it forgets instead.
"""

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Crashed

from flows.service.automations import HEARTBEAT, MISSED_BEATS
from flows.service.services import SECONDS_BETWEEN_BEATS


class Heard(NamedTuple):
    """The last that was heard of a run at work."""

    run: UUID
    name: str
    at: datetime
    """By the server's clock."""


def crash_silent_runs(
    client: SyncPrefectClient, deployments: Iterable[str], beat: float = SECONDS_BETWEEN_BEATS
) -> list[str]:
    """Call every run of these deployments crashed that is at work and silent; the names of those.

    Where one is silent, more beats are waited for: a run that is alive is heard of again within a beat or two of the
    server's return. One that was never heard of has no heartbeat, and stays. Raises httpx.HTTPError where the server
    does not answer meanwhile.
    """
    names, late = list(deployments), datetime.now(UTC) - timedelta(seconds=MISSED_BEATS * beat)
    silent = {heard for heard in _heard(client, names) if heard.at < late}
    for _ in range(MISSED_BEATS + 1):
        if silent:
            time.sleep(beat)
            silent &= _heard(client, names)
    for run in silent:
        client.set_flow_run_state(run.run, Crashed(message=f"Nothing was heard of this run since {run.at:%F %T} UTC."))
    return sorted(run.name for run in silent)


def _heard(client: SyncPrefectClient, deployments: list[str]) -> set[Heard]:
    runs = client.read_flow_runs(
        deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=deployments)),
        flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING]))),
    )
    return {Heard(run.id, run.name, at) for run in runs if (at := _last_beat(client, run))}


def _last_beat(client: SyncPrefectClient, run: FlowRun) -> datetime | None:
    wanted = {"event": {"name": [HEARTBEAT]}, "resource": {"id": [f"prefect.flow-run.{run.id}"]}, "order": "DESC"}
    told = client.request("POST", "/events/filter", json={"filter": wanted, "limit": 1}).json()["events"]
    return datetime.fromisoformat(told[0]["received"]) if told else None
