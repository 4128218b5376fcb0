"""Let an alias point to a registered version, if its evidence passes the gates."""

from pathlib import Path

from prefect import flow, get_run_logger

from flows.acts import promote_model
from stemma.lineage.git import find_project


@flow(name="promote", flow_run_name="promote {model} to {alias}")
def promote(model: str, reason: str, alias: str = "champion", force: bool = False) -> str:
    """Move an alias to a version whose evidence passes the gates of params.yaml, section promotion.

    Args:
        model: The version, policy/7, or the run that made it.
        reason: Why; it stands in the history for ever.
        alias: What moves.
        force: Pass failed gates by; the history says so.
    """
    told = promote_model(find_project(Path.cwd()), model, alias, reason, force)
    get_run_logger().info(told)
    return told
