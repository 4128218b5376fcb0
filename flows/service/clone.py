"""The worker's own clone, which a flow run of a deployment works in: Prefect calls this first, in the run's process."""

import os
from pathlib import Path

from stemma.stage.orphan import end_with


def enter() -> dict[str, str]:
    """Go into the clone that this code lies in, wherever its machine has it; the run ends with its worker.

    A run that outlived its worker would go on unseen beside the one that another worker takes up in its place.
    """
    clone = Path(__file__).resolve().parents[2]
    os.chdir(clone)
    if parent := os.getppid():  # the first process of a container has none, and ends with the container
        end_with(parent)
    return {"directory": str(clone)}
