"""What MLflow shows of a registered model. It is read and nothing is made or changed, not even where nothing is."""

import logging
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from stemma.view.store import answering, paged, tracking_uri

ANSWER_WITHIN = 5.0
"""Seconds; MLflow's own client would go on trying for minutes."""
LOCAL = "sqlite:///"


@dataclass(frozen=True)
class Shown:
    """A registered model in MLflow."""

    uri: str
    versions: Mapping[int, Mapping[str, str]]
    """The tags of each version."""
    aliases: Mapping[str, int]


def shown_model(root: Path, name: str) -> Shown | None:
    """What MLflow shows of a registered model; None where the project has no MLflow store at all.

    Raises ServiceError where MLflow does not answer.
    """
    uri = tracking_uri(root)
    if uri.startswith(LOCAL) and not Path(uri.removeprefix(LOCAL)).exists():
        return None
    for logger in ("mlflow", "alembic"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    with answering(uri):
        _reach(uri)
        return _read(uri, name)


def _reach(uri: str) -> None:
    address = urlsplit(uri)
    if address.scheme in {"http", "https"}:
        port = address.port or (443 if address.scheme == "https" else 80)
        socket.create_connection((address.hostname or "", port), ANSWER_WITHIN).close()


def _read(uri: str, name: str) -> Shown:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient(uri)
    try:
        aliases = client.get_registered_model(name).aliases
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return Shown(uri, {}, {})
    found = paged(lambda token: client.search_model_versions(f"name = '{name}'", page_token=token))
    versions = {int(version.version): dict(version.tags) for version in found}
    return Shown(uri, versions, {alias: int(number) for alias, number in aliases.items()})
