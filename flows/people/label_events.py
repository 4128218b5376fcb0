"""A batch that ends is an event in Prefect, on which an automation resumes the run that waits for it.

Prefect's server keeps events in memory until it has acted, so one may be lost. The label store remembers which ends
nobody has taken note of, and each is said again until the run has: whatever was down in between, the run goes on.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from flows.events import BATCH_ENDED, STARTS_ROUND, WAITING, event, prefect_of, send

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

    from stemma.labelling.store.batch import Batch
    from stemma.labelling.store.store import LabelStore


def announce(root: Path, store: "LabelStore") -> bool:
    """Tell the project's Prefect server of every batch whose end nobody has taken note of.

    Returns whether there was a server to tell; without one, that of the next `stemma up` hears of it.
    """
    ended = store.unannounced()
    if not ended:
        return True
    import httpx

    try:
        with prefect_of(root) as client:
            if client is None:
                return False
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


def _emit(client: "SyncPrefectClient", batch: "Batch", waiting: "list[FlowRun]") -> None:
    """Send an event for each run, because the automation resumes one; a batch of nobody's run may start a round."""
    resource = {"id": f"stemma.batch.{batch.id}", "name": batch.id, "state": batch.state}
    if not waiting and batch.state == "closed" and "run" not in batch.source:
        resource |= STARTS_ROUND
    payload = {
        "words": f"batch {batch.id} was {batch.state} by {batch.closed_by}: {batch.closed_reason}",
        "state": batch.state,
        "by": batch.closed_by,
        "reason": batch.closed_reason,
        "source": batch.source,
    }
    related = [[{"id": f"prefect.flow-run.{run.id}", "role": WAITING}] for run in waiting]
    send(client, [event(BATCH_ENDED, resource, payload, one) for one in related or [[]]])
