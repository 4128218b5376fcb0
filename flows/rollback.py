"""Put an earlier version back as champion."""

from pathlib import Path

from prefect import flow, get_run_logger

from flows.acts import roll_back_model
from flows.pages import show_act
from stemma.lineage.git import find_project


@flow(name="rollback", flow_run_name="rollback")
def rollback(reason: str, to: str = "", who: str = "") -> str:
    """Put an earlier version back as champion, in one audited act.

    Args:
        reason: Why; it stands in the history for ever.
        to: Which version, such as policy/6; empty takes the champion before the last promotion.
        who: Your name, for the history.
    """
    told, say = roll_back_model(find_project(Path.cwd()), to or None, reason, who), get_run_logger()
    say.info(told)
    show_act("rollback", "The champion is put back", told, say.warning)
    return told
