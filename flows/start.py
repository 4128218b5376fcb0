"""Start a flow from the command line: in this process, against the Prefect server of `stemma ui` where it runs."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from flows.servers import running_prefect
from flows.settings import DpoSettings, ProjectSettings, RlhfSettings

if TYPE_CHECKING:
    from flows.pipeline import FlowReport


def start(root: Path, flow: str, settings: ProjectSettings, name: str) -> "FlowReport":
    """Run a flow to its end and return its report.

    Raises StemmaError as the flow does.
    """
    api = running_prefect(root)
    if api and "PREFECT_API_URL" not in os.environ:
        os.environ["PREFECT_API_URL"] = api
    # The display tells a person what Prefect's console log would tell; the log still reaches the Prefect server.
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    from flows.dpo import dpo
    from flows.rlhf import rlhf

    values = settings.model_dump()
    values["data"]["files"] = [str(Path(file).resolve()) for file in settings.data.files]
    if flow == "rlhf":
        return rlhf(RlhfSettings.model_validate({key: values[key] for key in RlhfSettings.model_fields}), name)
    return dpo(DpoSettings.model_validate({key: values[key] for key in DpoSettings.model_fields}), name)
