"""Let an alias point to a registered version, if its evidence passes the gates."""

from pathlib import Path

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Cancelled

from flows.acts import promote_model
from flows.pages import show_act
from stemma.lineage.git import find_project
from stemma.lineage.registry import CHAMPION
from stemma.promotion.act import RefusedError


@flow(name="promote", flow_run_name="promote {model} to {alias}")
def promote(model: str, reason: str, alias: str = CHAMPION, force: bool = False, who: str = "") -> str | State[None]:
    """Move an alias to a version whose evidence passes the gates of params.yaml, section promotion.

    Args:
        model: The version, policy/7, or the run that made it.
        reason: Why; it stands in the history for ever.
        alias: What moves.
        force: Pass failed gates by; the history says so.
        who: Your name, for the history.
    """
    say = get_run_logger()
    try:
        told = promote_model(find_project(Path.cwd()), model, alias, reason, force, who)
    except RefusedError as error:
        show_act("promote", f"{model} is refused", str(error), say.warning)
        return Cancelled(name="Refused", message=str(error))
    say.info(told)
    show_act("promote", f"{model} and {alias}", told, say.warning)
    return told
