"""The services of the local stack: what each is started with, and how it is known to answer."""

import hashlib
import os
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flows import PATIENT
from flows.service.database import prefect_database
from flows.service.stack import LOOPBACK, MLFLOW_PORT, answers
from stemma.stage.offer import offer_of_machine
from stemma.view.store import ADDRESS, tracking_uri

PREFECT_API = "PREFECT_API_URL"
MLFLOW_BACKEND = "MLFLOW_BACKEND_STORE_URI"
POOLS = ("cpu", "gpu")
TRAINING = "gpu"
"""The pool of the runs that train; a machine without a GPU that takes them trains on its CPU."""

SECONDS_BETWEEN_BEATS = 10
"""Of the heartbeat that flows/heartbeat.py sends of a flow run."""


@dataclass(frozen=True)
class Wanted:
    """What a person wants of `stemma up`."""

    host: str = LOOPBACK
    prefect_port: int = 4200
    mlflow_port: int = MLFLOW_PORT
    label_port: int = 8377
    pools: tuple[str, ...] = POOLS
    only_workers: bool = False


@dataclass(frozen=True)
class Service:
    """A process that is kept running."""

    name: str
    command: Sequence[str]
    log: Path
    is_ready: Callable[[], bool]
    address: str = ""
    """Where a person finds its page."""
    environment: dict[str, str] = field(default_factory=dict)


def servers(root: Path, wanted: Wanted) -> list[Service]:
    """The Prefect server, MLflow's and the label page, but for those that the environment says run elsewhere."""
    if wanted.only_workers:
        return []
    found = [] if os.environ.get(PREFECT_API) else [_prefect(root, wanted)]
    found += [] if _mlflow_is_elsewhere() else [_mlflow(root, wanted)]
    return [*found, _label_page(root, wanted)]


def elsewhere(wanted: Wanted) -> dict[str, str]:
    """The addresses of the servers that the environment names, which are not ours to start."""
    named = {"prefect": os.environ.get(PREFECT_API, "").removesuffix("/").removesuffix("/api")}
    if _mlflow_is_elsewhere() or wanted.only_workers:
        named["mlflow"] = os.environ.get(ADDRESS, "")
    return {name: address for name, address in named.items() if address}


def workers(root: Path, wanted: Wanted) -> list[Service]:
    """A worker for each pool, and beside a server of ours the watch over the label store."""
    found = [_worker(root, pool) for pool in wanted.pools]
    if not wanted.only_workers:
        watch = _log(root, "label-watch")
        command = [sys.executable, "-m", "flows.people.label_watch"]
        found.append(Service("label-watch", command, watch, lambda: _says(watch, "watches")))
    return found


def worker_environment(root: Path, wanted: Wanted) -> dict[str, str]:
    """What workers, and the flow runs that they start, are told on top of the environment of `stemma up`."""
    told = {
        PREFECT_API: os.environ.get(PREFECT_API) or f"http://{_reached(wanted.host)}:{wanted.prefect_port}/api",
        # The clone's code and the environment's programs, from whatever folder a flow run starts in.
        "PYTHONPATH": os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH", "")])),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONUNBUFFERED": "1",
        **{name: os.environ[name] for name in PATIENT},
    }
    if os.environ.get(MLFLOW_BACKEND) and not wanted.only_workers:
        told[ADDRESS] = f"http://{_reached(wanted.host)}:{wanted.mlflow_port}"
    # Prefect looks every 10 s for what is to be run, which is long for who has just pressed a button.
    told["PREFECT_WORKER_QUERY_SECONDS"] = os.environ.get("PREFECT_WORKER_QUERY_SECONDS", "2")
    return told


def _prefect(root: Path, wanted: Wanted) -> Service:
    address = f"http://{_named(wanted.host)}:{wanted.prefect_port}"
    command = [_program("prefect"), "server", "start", "--host", wanted.host, "--port", str(wanted.prefect_port)]
    told = {
        "PREFECT_UI_API_URL": os.environ.get("PREFECT_UI_API_URL", f"{address}/api"),
        **prefect_database(root),
    }
    health = f"http://{_reached(wanted.host)}:{wanted.prefect_port}/api/health"
    return Service("prefect", command, _log(root, "prefect"), lambda: answers(health), address, told)


def _mlflow(root: Path, wanted: Wanted) -> Service:
    command = [
        _program("mlflow"), "server", "--host", wanted.host, "--port", str(wanted.mlflow_port), "--workers", "1",
    ]  # fmt: skip
    told = {
        # Not among the words of the command, which every user of the machine sees: it may hold a password.
        MLFLOW_BACKEND: os.environ.get(MLFLOW_BACKEND) or tracking_uri(root),
        "MLFLOW_ARTIFACTS_DESTINATION": os.environ.get("MLFLOW_ARTIFACTS_DESTINATION", str(root / "mlartifacts")),
        # It would start half a dozen processes for judges of MLflow's own, which nobody here asks.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": os.environ.get("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false"),
        "MLFLOW_SERVER_ALLOWED_HOSTS": os.environ.get("MLFLOW_SERVER_ALLOWED_HOSTS", _mlflow_hosts(wanted.host)),
    }
    health = f"http://{_reached(wanted.host)}:{wanted.mlflow_port}/health"
    address = f"http://{_named(wanted.host)}:{wanted.mlflow_port}"
    return Service("mlflow", command, _log(root, "mlflow"), lambda: answers(health), address, told)


def _mlflow_hosts(host: str) -> str:
    """The names by which MLflow lets itself be called: those it allows by itself, and that of this machine.

    MLflow refuses others, lest a page elsewhere reads it through a visitor's browser by a name of its own.
    """
    private = ["10.*", "192.168.*", *(f"172.{part}.*" for part in range(16, 32)), "fc00:*", "fd00:*"]
    names = ["localhost", "127.0.0.1", "0.0.0.0", _named(host), socket.gethostname()]  # noqa: S104 -- a name here
    return ",".join(dict.fromkeys([*names, *(f"{name}:*" for name in names), "[::1]", "[[]::1]:*", *private]))


def _label_page(root: Path, wanted: Wanted) -> Service:
    command = [
        sys.executable, "-m", "stemma", "label", "serve", "--host", wanted.host, "--port", str(wanted.label_port),
    ]  # fmt: skip
    page = f"http://{_reached(wanted.host)}:{wanted.label_port}/"
    address = f"http://{_named(wanted.host)}:{wanted.label_port}"
    return Service("labels", command, _log(root, "labels"), lambda: answers(page), address)


def _worker(root: Path, pool: str) -> Service:
    # A name of its own for each clone, the same after a restart.
    name = f"{socket.gethostname()}-{hashlib.sha256(str(root).encode()).hexdigest()[:6]}-{pool}"
    command = [sys.executable, "-m", "flows.service.worker", "--pool", pool, "--name", name]
    if pool == TRAINING:
        command += ["--limit", str(runs_at_once())]
    log = _log(root, f"worker-{pool}")
    return Service(f"worker-{pool}", command, log, lambda: _says(log, "started!"))


def runs_at_once() -> int:
    """How many runs that train this machine takes at once: one for each slot.

    One more would get ready meanwhile, and where its process is the faster to start, train before the one ahead of it.
    """
    return len(offer_of_machine("cuda").slots) or len(offer_of_machine("cpu").slots)


def _mlflow_is_elsewhere() -> bool:
    return os.environ.get(ADDRESS, "").startswith("http") and not os.environ.get(MLFLOW_BACKEND)


def _reached(host: str) -> str:
    """The address at which this machine reaches a server that listens there."""
    return _in_url({"0.0.0.0": LOOPBACK, "::": "::1"}.get(host, host))  # noqa: S104 -- compared, not listened on


def _named(host: str) -> str:
    """The address at which other machines reach it."""
    return socket.getfqdn() if host in {"0.0.0.0", "::"} else _in_url(host)  # noqa: S104 -- compared, not listened on


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _program(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _log(root: Path, name: str) -> Path:
    return root / ".stemma" / "logs" / f"{name}.log"


def _says(log: Path, words: str) -> bool:
    return log.exists() and words in log.read_text(encoding="utf-8", errors="replace")
