"""`stemma up` and `stemma down`: the local stack, started and stopped."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

from flows.service.child import SECONDS_TO_END, last_words
from flows.service.services import PREFECT_API, Wanted, elsewhere, servers
from flows.service.stack import Stack, answers, read_stack, running_stack, stack_file
from stemma.errors import ServiceError

SECONDS_TO_START = 600.0
SECONDS_TO_STOP = 120.0


def up(root: Path, wanted: Wanted) -> str:
    """Start the stack, wait until all of it answers, and return what a person is to know.

    Raises ServiceError where a port cannot be listened on or a service does not come up; then nothing is left running.
    """
    running = running_stack(root)
    if running:
        return "\n".join(["is up already; `stemma down` stops it", *_addresses(running)])
    _check_elsewhere(wanted)
    _check_ports(root, wanted)
    stack = _await(root, _start(root, wanted))
    logs = (root / ".stemma" / "logs").relative_to(root)
    return "\n".join([*_addresses(stack), f"Logs are in {logs}; `stemma down` stops it."])


def stay(root: Path, wanted: Wanted) -> NoReturn:
    """Become the process that looks after the stack, as systemd and containers want it; SIGTERM stops all of it.

    Raises ServiceError where the stack is up already, or a port cannot be listened on.
    """
    if running_stack(root):
        raise ServiceError("is up already; `stemma down` stops it")
    _check_elsewhere(wanted)
    _check_ports(root, wanted)
    _clear(root)
    os.chdir(root)
    command, environment = _supervisor(root, wanted)
    os.execve(sys.executable, command, environment)  # noqa: S606 -- this very Python, with words of our own


def down(root: Path) -> str:
    """Stop what `stemma up` started and return what a person is to know.

    Raises ServiceError where it does not stop.
    """
    running = running_stack(root)
    if running is None:
        return "nothing is up"
    with suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + SECONDS_TO_STOP
    while running_stack(root):
        if time.monotonic() > deadline:
            raise ServiceError(f"process {running.pid} does not stop; `kill -9 {running.pid}` ends all of it")
        time.sleep(0.1)
    return "\n".join(f"stopped {name}" for name in running.services) or "stopped"


def _addresses(stack: Stack) -> list[str]:
    titles = {"prefect": "Prefect", "mlflow": "MLflow", "labels": "Label page"}
    lines = [f"{titles[name]:11}{address}" for name, address in stack.addresses.items()]
    workers = [name.removeprefix("worker-") for name in stack.services if name.startswith("worker-")]
    return [*lines, f"{'Workers':11}{', '.join(workers)}"]


def _check_elsewhere(wanted: Wanted) -> None:
    if wanted.only_workers and not os.environ.get(PREFECT_API):
        raise ServiceError(f"a worker alone needs {PREFECT_API}, the address of the Prefect server it works for")
    api = os.environ.get(PREFECT_API, "").rstrip("/")
    if api and not answers(f"{api}/health"):
        raise ServiceError(f"no answer from {api}, which {PREFECT_API} names; unset it to have a server started here")
    mlflow = elsewhere(wanted).get("mlflow", "").rstrip("/")
    if mlflow.startswith("http") and not answers(f"{mlflow}/health"):
        raise ServiceError(f"no answer from {mlflow}, which MLFLOW_TRACKING_URI names; unset it to have one started")


def _check_ports(root: Path, wanted: Wanted) -> None:
    # The servers of a killed stack may be about to end.
    deadline = time.monotonic() + (SECONDS_TO_END if stack_file(root).exists() else 0)
    ports = {"prefect": wanted.prefect_port, "mlflow": wanted.mlflow_port, "labels": wanted.label_port}
    for service in servers(root, wanted):
        port = ports[service.name]
        option = f"--{'label' if service.name == 'labels' else service.name}-port PORT"
        while fault := _listening_fault(wanted.host, port):
            if fault.errno != errno.EADDRINUSE:
                raise ServiceError(
                    f"cannot listen on port {port} of {wanted.host}: {fault.strerror}; --host takes an address of this "
                    f"machine, and {option} another port"
                )
            if time.monotonic() >= deadline:
                used = f"port {port} on {wanted.host} is in use{_user_of(port)}"
                raise ServiceError(f"{used}; choose another with {option}")
            time.sleep(0.2)


def _user_of(port: int) -> str:
    """Which process listens on a port, and its folder, where this user may know: it may be another clone's stack."""
    import psutil

    with suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):  # type: ignore[no-untyped-call]
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                folder = psutil.Process(connection.pid).cwd()  # type: ignore[no-untyped-call]
                return f" by process {connection.pid} of {folder}"
    return ""


def _listening_fault(host: str, port: int) -> OSError | None:
    """Why a server could not listen there; None where it could."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                # As the servers listen: an address of IPv6 is not one of IPv4 besides.
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(address)
    except OSError as error:
        return error
    return None


def _start(root: Path, wanted: Wanted) -> "subprocess.Popen[bytes]":
    _clear(root)
    command, environment = _supervisor(root, wanted)
    with (root / ".stemma" / "logs" / "stack.log").open("ab") as stream:
        return subprocess.Popen(
            command,
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )


def _clear(root: Path) -> None:
    """Forget the stack before this one."""
    stack_file(root).unlink(missing_ok=True)
    (root / ".stemma" / "logs").mkdir(parents=True, exist_ok=True)


def _supervisor(root: Path, wanted: Wanted) -> tuple[list[str], dict[str, str]]:
    """The command that looks after the stack, and its environment."""
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "flows.service.supervisor", json.dumps(asdict(wanted))]
    return command, {**os.environ, "PYTHONPATH": path}


def _await(root: Path, supervisor: "subprocess.Popen[bytes]") -> Stack:
    """Wait for the stack; where it does not come up, or the person presses Ctrl-C, nothing is left running."""
    try:
        return _ready(root, supervisor)
    except BaseException:
        supervisor.terminate()
        supervisor.wait()
        raise


def _ready(root: Path, supervisor: "subprocess.Popen[bytes]") -> Stack:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        stack = read_stack(root)
        if stack and stack.state == "ready":
            return stack
        if supervisor.poll() is not None:
            raise ServiceError((stack and stack.why) or last_words(root / ".stemma" / "logs" / "stack.log"))
        time.sleep(0.2)
    raise ServiceError(f"the stack did not come up within {SECONDS_TO_START:.0f} s; .stemma/logs says why")
