"""What the servers of `stemma up` are started with."""

import socket
from pathlib import Path

import pytest
from mlflow.server.security_utils import get_default_allowed_hosts, is_allowed_host_header

from flows.service.database import CONNECTION, NAMES_ONE, PREFIXES, prefect_database
from flows.service.services import Service, Wanted, servers

ROOT = Path(__file__).resolve().parents[3]


def mlflow(host: str) -> Service:
    return next(service for service in servers(ROOT, Wanted(host=host)) if service.name == "mlflow")


@pytest.fixture(autouse=True)
def _no_servers_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI", "MLFLOW_BACKEND_STORE_URI", "MLFLOW_SERVER_ALLOWED_HOSTS"):
        monkeypatch.delenv(name, raising=False)


def test_mlflow_answers_at_the_address_that_is_told() -> None:
    """MLflow refuses a host's name that it was not told of; loopback and private addresses it knows."""
    service = mlflow("0.0.0.0")  # noqa: S104 -- nothing is started
    told = service.address.removeprefix("http://")
    allowed = service.environment["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    assert told == f"{socket.getfqdn()}:5000"
    assert is_allowed_host_header(allowed, told)
    by_itself = get_default_allowed_hosts()
    for host in (
        "localhost:5000",
        "127.0.0.1:5000",
        "[::1]:5000",
        "[::1]",
        "10.1.2.3:5000",
        "172.31.0.1",
        "192.168.1.1:80",
    ):
        assert is_allowed_host_header(by_itself, host)
        assert is_allowed_host_header(allowed, host), host
    assert not is_allowed_host_header(allowed, "elsewhere.example:5000")


def test_who_names_hosts_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_SERVER_ALLOWED_HOSTS", "mlflow.example.org")
    assert mlflow("127.0.0.1").environment["MLFLOW_SERVER_ALLOWED_HOSTS"] == "mlflow.example.org"


def test_the_address_of_the_database_is_no_word_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ps` shows those to every user of the machine, and the address holds a password."""
    address = "postgresql+psycopg://stemma:secret@db/mlflow"
    monkeypatch.setenv("MLFLOW_BACKEND_STORE_URI", address)
    service = mlflow("127.0.0.1")
    assert not [word for word in service.command if "secret" in word]
    assert service.environment["MLFLOW_BACKEND_STORE_URI"] == address


def test_prefect_keeps_its_records_in_the_project(tmp_path: Path) -> None:
    """Its own default is one file of the user's, which all clones shared."""
    files = []
    for clone in (tmp_path / "one", tmp_path / "two"):
        prefect = next(service for service in servers(clone, Wanted()) if service.name == "prefect")
        files.append(prefect.environment[CONNECTION])
    assert files == [f"sqlite+aiosqlite:///{tmp_path}/{clone}/prefect.db" for clone in ("one", "two")]


@pytest.mark.parametrize("name", [prefix + name for prefix in PREFIXES for name in NAMES_ONE])
def test_a_database_that_the_environment_names_is_heeded(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "postgresql+asyncpg://db/prefect")
    assert not prefect_database(ROOT)
