"""Why `stemma up` does not come up, told as what it is."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.service.services import Wanted, servers
from flows.service.up import up
from stemma.errors import ServiceError
from tests.family import FamilyProject


@pytest.fixture(autouse=True)
def _no_servers_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI", "MLFLOW_BACKEND_STORE_URI"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ports() -> tuple[int, int, int]:
    """Ports that are free."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    found = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return found[0], found[1], found[2]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port of ::1 at which somebody listens."""
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with server:
        yield server.getsockname()[1]


def test_a_setting_that_the_workers_cannot_use(
    tmp_path: Path, ports: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = FamilyProject(tmp_path / "project")
    monkeypatch.setenv("STEMMA_CPU_SLOTS", "two")
    with pytest.raises(ServiceError, match="STEMMA_CPU_SLOTS"):
        up(project.path, Wanted("127.0.0.1", *ports))
    assert not (project.path / ".stemma" / "logs" / "prefect.log").exists(), "no server was started"


def test_an_address_that_is_not_this_machines(tmp_path: Path, ports: tuple[int, int, int]) -> None:
    for host in ("192.0.2.1", "no such host"):
        with pytest.raises(ServiceError, match=f"cannot listen on port {ports[0]} of {host}: .*; --host takes") as told:
            up(tmp_path, Wanted(host, *ports))
        assert "in use" not in str(told.value)


def test_a_port_of_ipv6(tmp_path: Path, taken: int, ports: tuple[int, int, int]) -> None:
    with pytest.raises(ServiceError, match=f"port {taken} on ::1 is in use.*; choose another with --mlflow-port PORT"):
        up(tmp_path, Wanted("::1", ports[0], taken, ports[2]))


def test_an_address_of_ipv6_stands_in_brackets(tmp_path: Path) -> None:
    assert [service.address for service in servers(tmp_path, Wanted("::1"))] == [
        "http://[::1]:4200",
        "http://[::1]:5000",
        "http://[::1]:8377",
    ]
