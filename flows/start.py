"""Start a flow from the command line: in this process, against the Prefect server of `stemma up` where it runs."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

from flows.judges import check_judges
from flows.settings import DpoSettings, ProjectSettings, RlaifSettings, RlhfSettings
from flows.stack import running_prefect

if TYPE_CHECKING:
    from flows.pipeline import FlowReport
    from flows.suspension import Waiting


def start(root: Path, flow: str, settings: ProjectSettings, name: str) -> "FlowReport | Waiting":
    """Run a flow to its end and return its report, or what it waits for.

    Raises StemmaError as the flow does.
    """
    if flow == "rlaif" and settings.label.source != "mixed":
        settings = settings.model_copy(update={"label": settings.label.model_copy(update={"source": "ai"})})
    check_judges(settings)
    api = running_prefect(root)
    if api and "PREFECT_API_URL" not in os.environ:
        os.environ["PREFECT_API_URL"] = api
    # The display tells a person what Prefect's console log would tell; the log still reaches the Prefect server.
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    # Prefect's own 20 s are not enough for its temporary server where the machine is busy with training.
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
    from flows.dpo import dpo
    from flows.rlaif import rlaif
    from flows.rlhf import rlhf

    values = settings.model_dump()
    values["data"]["files"] = [str(Path(file).resolve()) for file in settings.data.files]
    if flow == "rlaif":
        ended = rlaif(RlaifSettings.model_validate({key: values[key] for key in RlaifSettings.model_fields}), name)
    elif flow == "rlhf":
        ended = rlhf(RlhfSettings.model_validate({key: values[key] for key in RlhfSettings.model_fields}), name)
    else:
        ended = dpo(DpoSettings.model_validate({key: values[key] for key in DpoSettings.model_fields}), name)
    # Of a flow that returns a state, Prefect's engine hands on what the state holds.
    return cast("FlowReport | Waiting", ended)
