"""Bring MLflow in step with Git and DVC."""

from pathlib import Path

from prefect import flow, get_run_logger

from flows.settings import ProjectSettings, stage_values
from stemma.lineage.git import find_project


@flow(name="reconcile", flow_run_name="reconcile")
def reconcile(drop_unknown: bool = False) -> list[str]:
    """Rebuild or repair what MLflow shows; return what it says that Git and DVC do not.

    Args:
        drop_unknown: Remove the versions of our registered models that Git does not have.
    """
    from stemma.view import reconcile as view

    say = get_run_logger().info
    report = view.reconcile(find_project(Path.cwd()), stage_values(ProjectSettings()), drop_unknown, say=say)
    return list(report.unmended)
