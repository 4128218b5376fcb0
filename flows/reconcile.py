"""Bring what MLflow shows, and what Prefect has heard, in step with Git and DVC; remove what dead runs left behind."""

from pathlib import Path

import httpx
from prefect import flow, get_run_logger

from flows.events import prefect_of
from flows.pages import show_act
from flows.round_events import announce_data
from flows.service.prefect_file import read_prefect_file
from flows.service.silent import crash_silent_runs
from flows.settings import ProjectSettings, stage_values
from stemma.cleanup.leftovers import sweep_leftovers, sweep_remote
from stemma.errors import WorkspaceError
from stemma.lineage.git import find_project


@flow(name="reconcile", flow_run_name="reconcile")
def reconcile(drop_unknown: bool = False) -> list[str]:
    """Rebuild or repair what MLflow shows, and remove what dead runs left; return what MLflow says and Git does not.

    It also tells Prefect of new raw data, where prefect.yaml has them start a round, and which runs died unseen.

    Args:
        drop_unknown: Remove the versions of our registered models that Git does not have.
    """
    from stemma.view import reconcile as view

    say, root = get_run_logger().info, find_project(Path.cwd())
    for left in (*_crashed(root), *sweep_leftovers(root).words(), *_swept_remote(root)):
        say(left)
    if read_prefect_file(root).retrain_on.data_changed and announce_data(root):
        say("the raw data are new; a round is to start")
    report = view.reconcile(root, stage_values(ProjectSettings()), drop_unknown, say=say)
    words = f"{len(report.mended)} records are mended; left as they are: {len(report.unmended)}"
    told = "\n".join([words, *report.mended, *report.unmended])
    show_act("reconcile", "MLflow in step with Git and DVC", told, get_run_logger().warning)
    return list(report.unmended)


def _crashed(root: Path) -> list[str]:
    ours = [entry.name for entry in read_prefect_file(root).deployments]
    try:
        with prefect_of(root) as client:
            dead = crash_silent_runs(client, ours) if client else []
    except httpx.HTTPError as error:
        return [f"which runs died unseen is for the next reconcile to find, for Prefect does not answer: {error}"]
    return [f"run {name} is called crashed: nothing was heard of it" for name in dead]


def _swept_remote(root: Path) -> list[str]:
    try:
        return sweep_remote(root).words()
    except WorkspaceError as error:
        return [f"step checkpoints that are too old stay on the DVC remote until it answers: {error}"]
