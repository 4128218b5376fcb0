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
from stemma.lineage.user_files import DATA
from stemma.records.counting import counted

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

    from stemma.labelling.store.store import LabelStore

NEVER = datetime.fromtimestamp(0, UTC)
DROPPED = "Deployment concurrency limit reached."
"""Prefect's words for a run that it cancels by CANCEL_NEW; one that a person cancels has others, or none."""
AT_WORK = {"PENDING", "RUNNING", "CANCELLING"}
"""The states in which a run takes up the deployment's limit."""
RUNS_LOOKED_AT = 20


def round_began(client: "SyncPrefectClient") -> datetime | None:
    """When the newest round was to begin, whatever became of it; long ago where there was none.

    A plan is no round, nor is a run that was dropped because a round was at work. While that one still is, whatever is
    said would be dropped again: then it is None.
    """
    newest = _asked_for(client)
    asked = [run for run in newest if not run.parameters.get("dry_run")]
    if asked and _was_dropped(asked[0]) and any(run.state_type in AT_WORK for run in newest):
        return None
    rounds = (run for run in asked if not _was_dropped(run))
    return next((run.expected_start_time for run in rounds if run.expected_start_time), NEVER)


def _asked_for(client: "SyncPrefectClient") -> "list[FlowRun]":
    """The newest runs of the flow that were to begin by now, the newest first."""
    from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter, FlowRunFilterExpectedStartTime
    from prefect.client.schemas.sorting import FlowRunSort

    due = FlowRunFilter(expected_start_time=FlowRunFilterExpectedStartTime(before_=datetime.now(UTC)))
    return client.read_flow_runs(
        flow_filter=FlowFilter(name=FlowFilterName(any_=[FLOW])),
        flow_run_filter=due,
        sort=FlowRunSort.EXPECTED_START_TIME_DESC,
        limit=RUNS_LOOKED_AT,
    )


def _was_dropped(run: "FlowRun") -> bool:
    return bool(run.state and run.state.is_cancelled() and run.state.message == DROPPED)


def announce_verdicts(client: "SyncPrefectClient", store: "LabelStore", wanted: int) -> None:
    """Say that so many verdicts came since the newest round began, where they did.

    Those of a batch that a run asked for are left out: it waits for them itself.
    """
    began = round_began(client)
    came = store.given_since(began.timestamp()) if began else 0
    if came >= wanted:
        words = f"{counted(came, 'verdict')} came since the last round began"
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
        began = round_began(client) if client else None
        if client is None or began is None or NEVER < _first_said(client, resource) <= began:
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
