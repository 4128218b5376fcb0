"""What may start a round of retraining by itself, besides its schedule: new verdicts, and new data.

Each is said again until a round has begun since, because Prefect's server keeps events in memory until it has acted.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from flows.events import DATA_CHANGED, STARTS_ROUND, VERDICTS_ARRIVED, event, prefect_of, send
from stemma.lineage.git import Git
from stemma.lineage.rounds import FLOW
from stemma.lineage.runs import list_runs
from stemma.lineage.start import fetch_record, start_of_worker
from stemma.lineage.workspace import DATA

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

    from stemma.labelling.store.store import LabelStore

NEVER = datetime.fromtimestamp(0, UTC)


def round_began(client: "SyncPrefectClient") -> datetime:
    """When the newest round was to begin, whatever became of it; long ago where there was none."""
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter, FlowRunFilterExpectedStartTime
    from prefect.client.schemas.sorting import FlowRunSort

    due = FlowRunFilter(expected_start_time=FlowRunFilterExpectedStartTime(before_=datetime.now(UTC)))
    runs = client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=[FLOW])),
        flow_run_filter=due,
        sort=FlowRunSort.EXPECTED_START_TIME_DESC,
        limit=1,
    )
    return next((run.expected_start_time for run in runs if run.expected_start_time), NEVER)


def announce_verdicts(client: "SyncPrefectClient", store: "LabelStore", wanted: int) -> None:
    """Say that so many verdicts came since the newest round began, where they did.

    Those of a batch that a run asked for are left out: it waits for them itself.
    """
    came = store.given_since(round_began(client).timestamp())
    if came >= wanted:
        words = f"{came} verdicts came since the last round began"
        send(
            client,
            [event(VERDICTS_ARRIVED, {"id": "stemma.verdicts", **STARTS_ROUND}, {"words": words, "verdicts": came})],
        )


def announce_data(root: Path) -> bool:
    """Say that the newest commit has other raw data than the newest round, or else run, started with, where it has.

    Returns whether it was said.
    """
    fetch_record(root)
    runs = list_runs(root)
    before = next((run for run in runs if run.flow == FLOW), next(iter(runs), None))
    now = _data_of(root, start_of_worker(root).commit)
    if before is None or now in ("", _data_of(root, before.baseline)):
        return False
    resource = f"stemma.data.{now}"
    with prefect_of(root) as client:
        if client is None or NEVER < _first_said(client, resource) <= round_began(client):
            return False
        words = f"{DATA} is another than run {before.name} started with"
        send(
            client,
            [
                event(
                    DATA_CHANGED, {"id": resource, **STARTS_ROUND}, {"words": words, "data": now, "before": before.name}
                )
            ],
        )
    return True


def _data_of(root: Path, commit: str) -> str:
    """The id of the raw data's tree at a commit; empty where it has none."""
    listed = Git(root).run("ls-tree", commit, str(DATA))
    return listed.split()[2] if listed else ""


def _first_said(client: "SyncPrefectClient", resource: str) -> datetime:
    """When this was said first, as far back as Prefect keeps events; long ago where it was not."""
    wanted = {"event": {"name": [DATA_CHANGED]}, "resource": {"id": [resource]}, "order": "ASC"}
    told = client.request("POST", "/events/filter", json={"filter": wanted, "limit": 1}).json()["events"]
    return datetime.fromisoformat(told[0]["occurred"]) if told else NEVER
