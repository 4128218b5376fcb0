"""Sends the heartbeats of one flow run, in a process of its own: a program of the standard library alone.

It reads one JSON object from its standard input, then sends a heartbeat each `beat` seconds until that input is closed,
which Linux does when the process at the other end ends, however it ends.
"""

import json
import os
import select
import ssl
import sys
import time
import urllib.request
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

SECONDS_TO_ANSWER = 10.0


def main() -> None:
    """Send heartbeats until the flow run's process ends; a server that does not answer is asked again at the next."""
    settings = json.loads(sys.stdin.readline())
    context = _context(settings)
    due = time.monotonic()
    while not _is_closed(max(0.0, due - time.monotonic())):
        due = time.monotonic() + settings["beat"]
        try:
            urllib.request.urlopen(_request(settings), timeout=SECONDS_TO_ANSWER, context=context).close()  # noqa: S310 -- the address of Prefect's API
        except OSError:
            continue


def _is_closed(seconds: float) -> bool:
    """Wait so long; True as soon as the other end of the standard input is closed."""
    ready, _, _ = select.select([sys.stdin.fileno()], [], [], seconds)
    return bool(ready) and not os.read(sys.stdin.fileno(), 1)


def _request(settings: Mapping[str, Any]) -> urllib.request.Request:
    event = {
        "id": str(uuid.uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": settings["event"],
        "resource": settings["resource"],
        "related": settings["related"],
        "payload": {},
    }
    headers = {"Content-Type": "application/json", **settings["headers"]}
    return urllib.request.Request(settings["url"], json.dumps([event]).encode(), headers)  # noqa: S310 -- as above


def _context(settings: Mapping[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings["certificates"])
    if settings["insecure"]:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


if __name__ == "__main__":
    main()
