"""Where Prefect keeps its records: a file of the project, as MLflow does, so that two clones share none."""

import os
from pathlib import Path

CONNECTION = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
PREFIXES = ("PREFECT_SERVER_DATABASE_", "PREFECT_API_DATABASE_")
NAMES_ONE = ("CONNECTION_URL", "HOST", "NAME")
"""The settings that name a database; the others only say how it is used."""


def prefect_database(root: Path) -> dict[str, str]:
    """What tells a Prefect server to use the project's `prefect.db`; empty where the environment names a database."""
    if any(os.environ.get(prefix + name) for prefix in PREFIXES for name in NAMES_ONE):
        return {}
    return {CONNECTION: f"sqlite+aiosqlite:///{root / 'prefect.db'}"}
