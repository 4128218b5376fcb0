"""What every process of a run inherits: no telemetry, the right Python, and where to look for its flow."""

import os
import sys
from pathlib import Path

from stemma.stage.door import FLOW_PID_VARIABLE, SCRATCH_VARIABLE

QUIET = {
    "DVC_NO_ANALYTICS": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "GIT_PYTHON_REFRESH": "quiet",
    "TOKENIZERS_PARALLELISM": "false",
    "WANDB_DISABLED": "true",
}
"""Nobody is phoned: the telemetry switches of the libraries we stand on."""

AUTHOR = {
    "GIT_AUTHOR_NAME": "stemma",
    "GIT_AUTHOR_EMAIL": "stemma@localhost",
    "GIT_COMMITTER_NAME": "stemma",
    "GIT_COMMITTER_EMAIL": "stemma@localhost",
}


def quiet() -> None:
    """Switch the libraries' telemetry off in this process and its children."""
    os.environ.update(QUIET)


def prepare(root: Path, has_identity: bool) -> None:
    """Set the environment for the stages that this process will start.

    `has_identity` tells whether Git knows who commits; without it a run could not be saved on a fresh machine, so the
    run's commits are signed by stemma itself.
    """
    quiet()
    os.environ[FLOW_PID_VARIABLE] = str(os.getpid())
    os.environ[SCRATCH_VARIABLE] = str(root / ".stemma" / "scratch")
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    if not has_identity:
        os.environ.update(AUTHOR)
