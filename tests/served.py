"""A model behind `transformers serve` or `mlflow models serve`, as a person would start them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECONDS_TO_START = 120


@contextmanager
def transformers_serve(model: Path) -> Iterator[str]:
    """Serve a model's folder on the CPU; yields the address up to /v1."""
    port = _free_port()
    command = [
        str(Path(sys.executable).with_name("transformers")), "serve", str(model),
        "--host", "127.0.0.1", "--port", str(port), "--device", "cpu",
    ]  # fmt: skip
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    with _served(command, model.parent, environment, f"http://127.0.0.1:{port}/health"):
        yield f"http://127.0.0.1:{port}/v1"


@contextmanager
def mlflow_serve(model: str, project: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """Serve a model that MLflow knows from a project's folder; yields the address of its answers."""
    port = _free_port()
    command = [
        str(Path(sys.executable).with_name("mlflow")), "models", "serve", "-m", model,
        "--env-manager", "local", "--port", str(port),
    ]  # fmt: skip
    with _served(command, project, environment, f"http://127.0.0.1:{port}/ping"):
        yield f"http://127.0.0.1:{port}/invocations"


def asked(address: str, question: object) -> Any:
    """What a server answers to a JSON document."""
    request = urllib.request.Request(  # noqa: S310 -- our own server on loopback
        address, json.dumps(question).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 -- the same
        return json.load(answer)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _served(command: list[str], folder: Path, environment: Mapping[str, str], health: str) -> Iterator[None]:
    log = folder / "serve.log"
    with log.open("wb") as stream:
        server = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=stream, stderr=stream, start_new_session=True
        )
    try:
        _wait(health, server, log)
        yield
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=30)


def _wait(health: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while not _answers(health):
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def _answers(health: str) -> bool:
    try:
        urllib.request.urlopen(health, timeout=2).close()  # noqa: S310 -- our own server on loopback
    except OSError:
        return False
    return True
