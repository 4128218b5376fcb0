"""Bring what MLflow shows, and what Prefect has heard, in step with Git and DVC."""

from pathlib import Path

from prefect import flow, get_run_logger

from flows.pages import show_act
from flows.prefect_file import read_prefect_file
from flows.round_events import announce_data
from flows.settings import ProjectSettings, stage_values
from stemma.lineage.git import find_project


@flow(name="reconcile", flow_run_name="reconcile")
def reconcile(drop_unknown: bool = False) -> list[str]:
    """Rebuild or repair what MLflow shows; return what it says that Git and DVC do not.

    It also tells Prefect of new raw data, where prefect.yaml has them start a round.

    Args:
        drop_unknown: Remove the versions of our registered models that Git does not have.
    """
    from stemma.view import reconcile as view

    say, root = get_run_logger().info, find_project(Path.cwd())
    if read_prefect_file(root).retrain_on.data_changed and announce_data(root):
        say("the raw data are new; a round is to start")
    report = view.reconcile(root, stage_values(ProjectSettings()), drop_unknown, say=say)
    words = f"{len(report.mended)} records are mended; left as they are: {len(report.unmended)}"
    told = "\n".join([words, *report.mended, *report.unmended])
    show_act("reconcile", "MLflow in step with Git and DVC", told, get_run_logger().warning)
    return list(report.unmended)
