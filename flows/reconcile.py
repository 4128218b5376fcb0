"""Bring MLflow in step with Git and DVC, and remove what dead runs left behind."""

from pathlib import Path

from prefect import flow, get_run_logger

from flows.settings import ProjectSettings, stage_values
from stemma.cleanup.leftovers import sweep_leftovers, sweep_remote
from stemma.errors import WorkspaceError
from stemma.lineage.git import find_project


@flow(name="reconcile", flow_run_name="reconcile")
def reconcile(drop_unknown: bool = False) -> list[str]:
    """Rebuild or repair what MLflow shows, and remove what dead runs left; return what MLflow says and Git does not.

    Args:
        drop_unknown: Remove the versions of our registered models that Git does not have.
    """
    from stemma.view import reconcile as view

    root, say = find_project(Path.cwd()), get_run_logger().info
    for words in (*sweep_leftovers(root).words(), *_swept_remote(root)):
        say(words)
    report = view.reconcile(root, stage_values(ProjectSettings()), drop_unknown, say=say)
    return list(report.unmended)


def _swept_remote(root: Path) -> list[str]:
    try:
        return sweep_remote(root).words()
    except WorkspaceError as error:
        return [f"step checkpoints that are too old stay on the DVC remote until it answers: {error}"]
