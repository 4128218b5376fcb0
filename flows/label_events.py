"""A batch that ends is an event in Prefect, on which an automation resumes the run that waits for it.

Prefect's server keeps events in memory until it has acted, so one may be lost. The label store remembers which ends
nobody has taken note of, and each is said again until the run has: whatever was down in between, the run goes on.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from flows.stack import running_prefect

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

    from stemma.labelling.store.batch import Batch
    from stemma.labelling.store.store import LabelStore

BATCH_ENDED = "stemma.batch.ended"


def announce(root: Path, store: "LabelStore") -> bool:
    """Tell the project's Prefect server of every batch whose end nobody has taken note of.

    Returns whether there was a server to tell; without one, that of the next `stemma up` hears of it.
    """
    ended = store.unannounced()
    if not ended:
        return True
    api = os.environ.get("PREFECT_API_URL") or running_prefect(root)
    if api is None:
        return False
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    try:
        with temporary_settings({PREFECT_API_URL: api}), get_client(sync_client=True) as client:
            for batch in ended:
                _announce(client, store, batch)
    except httpx.HTTPError:
        return False
    return True


def _announce(client: "SyncPrefectClient", store: "LabelStore", batch: "Batch") -> None:
    """Say that a batch ended, to the runs that wait for it.

    A run that is at work looks by itself; one that waits takes note once it is resumed; without any, nobody will.
    """
    runs = _unfinished(client, batch.source.get("run", batch.id))
    waiting = [run for run in runs if run.state and run.state.is_paused()]
    if waiting or not runs:
        _emit(client, batch, waiting)
    if not runs:
        store.announced(batch.id)


def _unfinished(client: "SyncPrefectClient", name: str) -> "list[FlowRun]":
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName

    runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(name=FlowRunFilterName(any_=[name])))
    return [run for run in runs if run.state and not run.state.is_final()]


def _emit(client: "SyncPrefectClient", batch: "Batch", waiting: "Iterable[FlowRun]") -> None:
    """Send an event for each run, because the automation resumes one; over HTTP, where the server confirms them."""
    from prefect.events import Event

    related = [
        [{"prefect.resource.id": f"prefect.flow-run.{run.id}", "prefect.resource.role": "waiting"}] for run in waiting
    ]
    events = [
        Event(
            event=BATCH_ENDED,
            resource={"prefect.resource.id": f"stemma.batch.{batch.id}", "prefect.resource.name": batch.id},
            related=one,
            payload={
                "state": batch.state,
                "by": batch.closed_by,
                "reason": batch.closed_reason,
                "source": batch.source,
            },
        )
        for one in related or [[]]
    ]
    client.request("POST", "/events", json=[event.model_dump(mode="json") for event in events])
