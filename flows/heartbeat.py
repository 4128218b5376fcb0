"""Heartbeats of a flow run, by which Prefect's server knows that it is alive.

Prefect's own come from a thread of the flow's process, at least 30 s apart: a process that holds Python's lock for
long, or hashes gigabytes on a busy machine, was taken for dead. These come from a small process of their own, every
few seconds, and end when the flow's process does.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from prefect import runtime
from prefect.client.orchestration import get_client
from prefect.settings import (
    PREFECT_API_SSL_CERT_FILE,
    PREFECT_API_TLS_INSECURE_SKIP_VERIFY,
    PREFECT_API_URL,
)

from flows.service.automations import HEARTBEAT
from flows.service.services import SECONDS_BETWEEN_BEATS

PROGRAM = Path(__file__).with_name("beats.py")
SECONDS_TO_END = 15.0


@contextmanager
def heartbeats(beat: float = SECONDS_BETWEEN_BEATS) -> Iterator[None]:
    """Send a heartbeat of the present flow run every `beat` seconds, where it has a server that outlives it."""
    if not PREFECT_API_URL.value():
        yield
        return
    reading, writing = os.pipe()
    # In a session of its own: Ctrl-C in a terminal is for the flow, whose end ends this process.
    process = subprocess.Popen([sys.executable, "-I", str(PROGRAM)], stdin=reading, start_new_session=True)
    os.close(reading)
    try:
        with suppress(BrokenPipeError):  # a helper that died at once is no reason to fail the run
            os.write(writing, json.dumps(_settings(beat)).encode() + b"\n")
        yield
    finally:
        os.close(writing)
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()


def _settings(beat: float) -> dict[str, Any]:
    """What the process is told; by its standard input, because the headers may hold a password."""
    with get_client(sync_client=True) as client:
        headers = dict(client._client.headers)  # noqa: SLF001 -- Prefect has no other list of what a request needs
    return {
        "beat": beat,
        "url": f"{str(PREFECT_API_URL.value()).rstrip('/')}/events",
        "headers": {
            name: value for name, value in headers.items() if name.lower() not in {"accept-encoding", "connection"}
        },
        "certificates": PREFECT_API_SSL_CERT_FILE.value(),
        "insecure": bool(PREFECT_API_TLS_INSECURE_SKIP_VERIFY.value()),
        "event": HEARTBEAT,
        "resource": {"prefect.resource.id": f"prefect.flow-run.{runtime.flow_run.id}"},
        "related": [],
    }
