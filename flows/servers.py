"""The Prefect server and the MLflow UI of one project, on loopback."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from stemma.errors import ServiceError
from stemma.view.store import tracking_uri

HOST = "127.0.0.1"
SECONDS_TO_START = 180.0
SECONDS_TO_END = 15.0
PR_SET_PDEATHSIG = 1


def serve(root: Path, prefect_port: int, mlflow_port: int) -> int:
    """Start both servers, offer the flows to Prefect's UI, and stop all of it when this process is told to stop.

    Raises ServiceError where a port is in use or a server does not come up.
    """
    # The servers of a killed `stemma ui` may be about to end.
    patience = SECONDS_TO_END if _address_file(root).exists() else 0
    _check_port(prefect_port, "--prefect-port", patience)
    _check_port(mlflow_port, "--mlflow-port", patience)
    prefect = f"http://{HOST}:{prefect_port}"
    mlflow = f"http://{HOST}:{mlflow_port}"
    logs = root / ".stemma" / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PREFECT_UI_API_URL": f"{prefect}/api"}
    servers = [
        _spawn(
            ["prefect", "server", "start", "--host", HOST, "--port", str(prefect_port)],
            environment,
            logs / "prefect.log",
        ),
        _spawn(_mlflow_command(root, mlflow_port), environment, logs / "mlflow.log"),
    ]
    try:
        _wait(f"{prefect}/api/health", servers[0], logs / "prefect.log")
        _wait(f"{mlflow}/health", servers[1], logs / "mlflow.log")
        environment |= {"PREFECT_API_URL": f"{prefect}/api"}
        # Prefect looks every 10 s for what is to be run, which is long for who has just pressed a button.
        environment.setdefault("PREFECT_RUNNER_POLL_FREQUENCY", "2")
        servers.append(_spawn(["python", "-m", "flows.serve"], environment, logs / "flows.log", root))
        _address_file(root).write_text(json.dumps({"prefect": f"{prefect}/api"}), encoding="utf-8")
        print(f"Prefect  {prefect}   (start a run: Deployments, rlhf, rlaif or dpo)\nMLflow   {mlflow}", flush=True)
        print("Stop both with Ctrl-C.", flush=True)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        while all(server.poll() is None for server in servers):
            time.sleep(0.5)
        raise ServiceError(f"a server stopped by itself; its last words are in {logs}")
    except KeyboardInterrupt:
        return 0
    finally:
        _address_file(root).unlink(missing_ok=True)
        for server in servers:
            server.terminate()
        for server in servers:
            _wait_or_kill(server)


def _wait_or_kill(server: "subprocess.Popen[bytes]") -> None:
    try:
        server.wait(timeout=10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def running_prefect(root: Path) -> str | None:
    """The API address of the project's Prefect server, where `stemma ui` has started one that answers."""
    try:
        address: str = json.loads(_address_file(root).read_text(encoding="utf-8"))["prefect"]
    except (FileNotFoundError, ValueError, KeyError):
        return None
    return address if _answers(f"{address}/health") else None


def _address_file(root: Path) -> Path:
    return root / ".stemma" / "ui.json"


def _mlflow_command(root: Path, port: int) -> list[str]:
    return [
        "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1",
        "--backend-store-uri", tracking_uri(root), "--artifacts-destination", str(root / "mlartifacts"),
    ]  # fmt: skip


def _spawn(
    command: list[str], environment: dict[str, str], log: Path, folder: Path | None = None
) -> "subprocess.Popen[bytes]":
    program = Path(sys.executable).parent / command[0]
    with log.open("wb") as stream:
        return subprocess.Popen(
            [str(program), *command[1:]],
            cwd=folder,
            env=environment,
            stdout=stream,
            stderr=stream,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 -- no thread runs in this process that could hold a lock
        )


def _end_with_parent() -> None:
    """Have Linux end this process when its parent is gone, so that a killed `stemma ui` leaves no port taken."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _check_port(port: int, option: str, patience: float) -> None:
    deadline = time.monotonic() + patience
    while not _is_free(port):
        if time.monotonic() >= deadline:
            raise ServiceError(f"port {port} on {HOST} is in use; choose another with {option} PORT")
        time.sleep(0.2)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _wait(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while not _answers(url):
        if server.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:]
            raise ServiceError("\n".join([f"no answer from {url}; the last lines of {log}:", *tail]))
        time.sleep(0.2)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 -- the address is our own, on loopback
            return bool(answer.status == 200)
    except OSError:
        return False
