"""What happens to models, labels and data, told to the project's Prefect server as events, on which automations act."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.service.stack import running_prefect

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.events import Event

BATCH_ENDED = "stemma.batch.ended"
VERDICTS_ARRIVED = "stemma.verdicts.arrived"
DATA_CHANGED = "stemma.data.changed"
LABELS_WANTED = "stemma.labels.wanted"
PROMOTED = "stemma.promoted"
REFUSED = "stemma.refused"
ROLLED_BACK = "stemma.rolled-back"

STARTS_ROUND = {"starts": "round"}
"""The label of what may start a round of retraining."""
WAITING = "waiting"
"""The role of a flow run that waits for what the event tells."""


@contextmanager
def prefect_of(root: Path) -> "Iterator[SyncPrefectClient | None]":
    """A client of the server that PREFECT_API_URL names, or of that of `stemma up`; None where there is neither.

    What is asked of it raises httpx.HTTPError where the server does not answer.
    """
    api = os.environ.get("PREFECT_API_URL") or running_prefect(root)
    if api is None:
        yield None
        return
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: api}), get_client(sync_client=True) as client:
        yield client


def tell(root: Path, name: str, resource: Mapping[str, str], words: str, **payload: Any) -> None:
    """Say what happened, for who wants to be told; an act does not fail because nobody hears of it."""
    import httpx

    try:
        with prefect_of(root) as client:
            if client:
                send(client, [event(name, resource, {"words": words, **payload})])
    except (httpx.HTTPError, OSError):
        return


def event(
    name: str, resource: Mapping[str, str], payload: Mapping[str, Any], related: Iterable[Mapping[str, str]] = ()
) -> "Event":
    """An event; the labels of its resources are written without Prefect's own prefix."""
    from prefect.events import Event

    return Event(
        event=name,
        resource=_labelled(resource),
        related=[_labelled(one) for one in related],
        payload=dict(payload),
    )


def send(client: "SyncPrefectClient", events: "Iterable[Event]") -> None:
    """Send events over HTTP, where the server confirms them."""
    client.request("POST", "/events", json=[one.model_dump(mode="json") for one in events])


def _labelled(resource: Mapping[str, str]) -> Any:
    return {f"prefect.resource.{key}": value for key, value in resource.items()}
