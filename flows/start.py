"""Start a flow from the command line: in this process, against the Prefect server of `stemma up` where it runs."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from flows.judges import check_judges
from flows.service.database import prefect_database
from flows.service.fitting import settings_of
from flows.service.stack import running_prefect
from flows.settings import DpoSettings, FlowSettings, ProjectSettings, RetrainSettings, RlaifSettings, RlhfSettings

if TYPE_CHECKING:
    from flows.people.suspension import Waiting
    from flows.result_page import FlowReport

SETTINGS: dict[str, type[FlowSettings]] = {
    "rlhf": RlhfSettings,
    "rlaif": RlaifSettings,
    "dpo": DpoSettings,
    "retrain": RetrainSettings,
}


def start(root: Path, flow: str, settings: ProjectSettings, name: str) -> "FlowReport | Waiting":
    """Run a flow to its end and return its report, or what it waits for.

    Raises StemmaError as the flow does.
    """
    fitted = _settled(flow, settings)
    api = running_prefect(root)
    if "PREFECT_API_URL" not in os.environ:
        # Without a server of the project, Prefect starts one for as long as the run lasts.
        os.environ.update({"PREFECT_API_URL": api} if api else prefect_database(root))
    # The display tells a person what Prefect's console log would tell; the log still reaches the Prefect server.
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    # Prefect's own 20 s are not enough for its temporary server where the machine is busy with training.
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
    from flows.dpo import dpo
    from flows.retrain import retrain
    from flows.rlaif import rlaif
    from flows.rlhf import rlhf

    run: Any = {"rlhf": rlhf, "rlaif": rlaif, "dpo": dpo, "retrain": retrain}[flow]
    # Of a flow that returns a state, Prefect's engine hands on what the state holds.
    return cast("FlowReport | Waiting", run(fitted, name))


def plan(root: Path, flow: str, settings: ProjectSettings, name: str) -> str:
    """Tell what a flow would run, why, and what it would cost; nothing of it is begun.

    Raises StemmaError where the flow could not begin.
    """
    from flows import dpo, rlhf
    from flows.planning.dry_run import plan_words
    from flows.round import begin_round

    fitted, this_round = _settled(flow, settings), None
    if isinstance(fitted, RetrainSettings):
        this_round = begin_round(root, fitted)
        fitted = this_round.settings(fitted)
    is_dpo = flow == "dpo" or (this_round is not None and this_round.method == "dpo")
    stages, policy = (dpo.STAGES, "dpo") if is_dpo else (rlhf.STAGES, "ppo")
    return plan_words(root, policy, stages, fitted, name, this_round)


def _settled(flow: str, settings: ProjectSettings) -> FlowSettings:
    """The settings of one flow, with the user's files where they lie.

    Raises SettingsError where it needs judges and none is named.
    """
    files = tuple(str(Path(file).resolve()) for file in settings.data.files)
    data = settings.data.model_copy(update={"files": files})
    fitted = settings_of(SETTINGS[flow], settings.model_copy(update={"data": data}))
    check_judges(fitted)
    return fitted
