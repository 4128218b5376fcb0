"""Put an earlier version back as champion."""

from pathlib import Path

from prefect import flow, get_run_logger

from flows.acts import roll_back_model
from stemma.lineage.git import find_project


@flow(name="rollback", flow_run_name="rollback")
def rollback(reason: str, to: str = "") -> str:
    """Put an earlier version back as champion, in one audited act.

    Args:
        reason: Why; it stands in the history for ever.
        to: Which version, such as policy/6; empty takes the champion before the last promotion.
    """
    told = roll_back_model(find_project(Path.cwd()), to or None, reason)
    get_run_logger().info(told)
    return told
