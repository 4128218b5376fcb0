"""`stemma up`: the servers and workers on loopback, and a flow started from the Prefect UI's form."""

import json
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest

from flows.settings import DpoSettings
from tests.project import Project


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(url: str, body: dict[str, Any] | None = None) -> Any:
    """The server's answer, asked again while it is busy: Prefect says 503 while another writer holds its database."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310 -- our own server
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            if error.code != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > deadline:
                raise
        time.sleep(0.5)


@pytest.fixture
def servers(undisturbed: Project) -> Iterator[tuple[str, str]]:
    """The Prefect API and the MLflow UI of a running `stemma up`."""
    prefect, mlflow, labels = free_port(), free_port(), free_port()
    project = undisturbed.with_servers_of_its_own()
    ports = ("--prefect-port", str(prefect), "--mlflow-port", str(mlflow), "--label-port", str(labels))
    printed = project.output(sys.executable, "-m", "stemma", "up", *ports)
    assert f"http://127.0.0.1:{prefect}" in printed
    assert "is up already" in project.output(sys.executable, "-m", "stemma", "up", *ports)
    yield f"http://127.0.0.1:{prefect}/api", f"http://127.0.0.1:{mlflow}"
    assert "stopped prefect" in project.output(sys.executable, "-m", "stemma", "down")
    assert "nothing is up" in project.output(sys.executable, "-m", "stemma", "down")


def deployment(api: str, flow: str) -> dict[str, Any]:
    deadline = time.monotonic() + 180
    while True:
        try:
            found: dict[str, Any] = ask(f"{api}/deployments/name/{flow}/{flow}")
        except OSError:
            assert time.monotonic() < deadline, f"deployment {flow} never appeared"
            time.sleep(0.5)
            continue
        return found


def test_a_run_from_the_form(servers: tuple[str, str], undisturbed: Project) -> None:
    api, mlflow = servers
    with urllib.request.urlopen(f"{mlflow}/health", timeout=10) as answer:  # noqa: S310
        assert answer.status == 200
    offered = deployment(api, "dpo")
    form = offered["parameter_openapi_schema"]["definitions"]["DpoConfig"]["properties"]
    assert "How strongly the policy is held to the reference" in form["beta"]["description"]
    assert form["tuning"]["enum"] == ["full", "lora"]
    asked = deployment(api, "promote")["parameter_openapi_schema"]["properties"]
    assert "it stands in the history for ever" in asked["reason"]["description"]
    params = undisturbed.found("straight").params
    settings = {key: value for key, value in params.items() if key in DpoSettings.model_fields}
    run = ask(
        f"{api}/deployments/{offered['id']}/create_flow_run", {"parameters": {"settings": settings, "name": "form"}}
    )
    deadline = time.monotonic() + 180
    while run["state"]["type"] not in {"COMPLETED", "FAILED", "CRASHED"}:
        assert time.monotonic() < deadline, run["state"]
        time.sleep(1)
        run = ask(f"{api}/flow_runs/{run['id']}")
    assert run["state"]["type"] == "COMPLETED", run["state"]
    assert run["name"] == "form"
    assert undisturbed.found("form").made == {}
    assert undisturbed.found("form").trailers["Prefect-Flow-Run"] == run["id"]
