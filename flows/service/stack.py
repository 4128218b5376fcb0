"""What `stemma up` has started of one project, and where it answers."""

import fcntl
import json
import os
import urllib.request
from dataclasses import asdict, dataclass, field
from pathlib import Path

from stemma.view.store import ADDRESS

LOOPBACK = "127.0.0.1"
MLFLOW_PORT = 5000


@dataclass(frozen=True)
class Stack:
    """A record of the services, kept up to date by the process that looks after them."""

    pid: int
    state: str
    """starting, ready or failed."""
    why: str = ""
    """Why it failed."""
    addresses: dict[str, str] = field(default_factory=dict)
    """Where a person finds each service that has a page."""
    services: tuple[str, ...] = ()
    """The names of all that runs."""


def stack_file(root: Path) -> Path:
    """Where the record lies."""
    return root / ".stemma" / "stack.json"


def stack_lock(root: Path) -> Path:
    """The lock that the process which looks after the services holds as long as it lives."""
    return root / ".stemma" / "stack.lock"


def read_stack(root: Path) -> Stack | None:
    """The record; None where there is none."""
    try:
        return Stack(**json.loads(stack_file(root).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write_stack(root: Path, stack: Stack) -> None:
    """Write the record, whole or not at all."""
    part = stack_file(root).with_suffix(".part")
    part.write_text(json.dumps(asdict(stack)), encoding="utf-8")
    part.replace(stack_file(root))


def running_stack(root: Path) -> Stack | None:
    """The record of services that are looked after now; None where nobody does."""
    return read_stack(root) if _is_looked_after(root) else None


def running_prefect(root: Path) -> str | None:
    """The API address of the project's Prefect server, where `stemma up` has started one that answers."""
    # A record outlives a kill and a failed start, and by then its address may be another project's server.
    stack = running_stack(root)
    address = stack.addresses.get("prefect", "") if stack else ""
    return f"{address}/api" if address and answers(f"{address}/api/health") else None


def mlflow_page(root: Path) -> str:
    """Where a browser finds MLflow: the server that the environment names, or else that of `stemma up`."""
    named = os.environ.get(ADDRESS, "")
    if named.startswith("http"):
        return named.rstrip("/")
    stack = read_stack(root)
    return (stack.addresses.get("mlflow") if stack else None) or f"http://{LOOPBACK}:{MLFLOW_PORT}"


def _is_looked_after(root: Path) -> bool:
    """Whether a process holds the lock; asked with a shared one, so that two who ask do not take each other for it."""
    try:
        with stack_lock(root).open() as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def answers(url: str) -> bool:
    """Whether a server answers a request for its health."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 -- an address that a person configured
            return bool(answer.status == 200)
    except (OSError, ValueError):
        return False
