"""The real stack on loopback: PostgreSQL behind Prefect and MLflow, S3 and Git remotes, and workers in clones."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psutil

from flows.service.stack import running_stack
from flows.settings import DpoSettings, FlowSettings, RetrainSettings, RlhfSettings
from stemma.config import read_yaml, write_yaml
from tests.project import Project
from tests.stack.postgres import Postgres
from tests.stack.s3 import BUCKET, CREDENTIALS, S3

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "pipelines" / "tiny.yaml"
SECONDS_TO_START = 180
SECONDS = 600
DATABASES = ("prefect", "mlflow", "labels")
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """One server process in a session of its own, which can be killed as a whole and started again."""

    name: str
    command: list[str]
    folder: Path
    environment: dict[str, str] = field(repr=False)
    log: Path
    health: str = ""
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + SECONDS_TO_START
        while self.health and not answers(self.health):
            assert self.process.poll() is None, self.words()
            assert time.monotonic() < deadline, self.words()
            time.sleep(0.3)

    def kill(self) -> None:
        """`kill -9` of the process and of all that it started, as when its host dies."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()

    def words(self) -> str:
        return self.log.read_text(errors="replace")[-5000:]


@dataclass
class Worker:
    """One machine of the stack: `stemma up --worker` in a clone of its own."""

    clone: Project

    def start(self) -> None:
        self.clone.output(sys.executable, "-m", "stemma", "up", "--worker")

    def stop(self) -> None:
        self.clone.output(sys.executable, "-m", "stemma", "down")

    def processes(self) -> list[Any]:
        """All that runs on the machine."""
        stack = running_stack(self.clone.path)
        assert stack is not None
        first = psutil.Process(stack.pid)  # type: ignore[no-untyped-call]
        return [first, *first.children(recursive=True)]  # type: ignore[no-untyped-call]

    def kill(self) -> None:
        """`kill -9` of all that runs on the machine, at once."""
        processes = self.processes()
        for process in processes:
            process.suspend()  # so that none has time to mourn another
        for process in processes:
            process.kill()
        psutil.wait_procs(processes, timeout=30)  # type: ignore[no-untyped-call]

    def is_in(self, stage: str, run: str) -> bool:
        """Whether a stage of a run has begun here."""
        return (self.clone.path / ".stemma" / "logs" / run / f"{stage}.log").exists()

    def words(self) -> str:
        logs = self.clone.path / ".stemma" / "logs"
        return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-3000:]}" for log in sorted(logs.glob("*.log")))


class Stack:
    """Servers and remotes; clones and workers are added."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.s3 = S3()
        self._postgres_folder = Path(tempfile.mkdtemp(prefix="stemma-postgres-"))
        self.postgres = Postgres(self._postgres_folder, DATABASES)
        ports = free_port(), free_port()
        self.api, self.mlflow_url = f"http://127.0.0.1:{ports[0]}/api", f"http://127.0.0.1:{ports[1]}"
        self.prefect_url = self.api.removesuffix("/api")
        self.prefect = self._server(
            "prefect",
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(ports[0])],
            f"{self.api}/health",
            PREFECT_API_DATABASE_CONNECTION_URL=self.postgres.url("asyncpg", "prefect"),
            PREFECT_HOME=str(folder / "prefect-home"),
            PREFECT_UI_API_URL=self.api,
            PREFECT_SERVER_ANALYTICS_ENABLED="false",
            PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS="5",
        )
        self.mlflow = self._server(
            "mlflow",
            [
                str(Path(sys.executable).with_name("mlflow")), "server", "--host", "127.0.0.1", "--port", str(ports[1]),
                "--workers", "1", "--backend-store-uri", self.postgres.url("psycopg", "mlflow"),
                "--artifacts-destination", f"s3://{BUCKET}/mlflow",
            ],
            f"{self.mlflow_url}/health",
            MLFLOW_S3_ENDPOINT_URL=self.s3.url,
            MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
        )  # fmt: skip
        self.bare = folder / "bare.git"
        self.workers: dict[str, Worker] = {}

    def start(self) -> None:
        """Start the servers and make the remotes."""
        first = self._seed()
        first.git("clone", "--quiet", "--bare", ".", str(self.bare))
        for server in (self.prefect, self.mlflow):
            server.start()

    def stop(self) -> None:
        for worker in self.workers.values():
            worker.stop()
        for server in (self.prefect, self.mlflow):
            server.stop()
        self.postgres.stop()
        self.s3.stop()
        shutil.rmtree(self._postgres_folder)

    def clone(self, name: str) -> Project:
        """A clone with a cache of its own; all it is told are the addresses of the remotes and servers."""
        path = self.folder / name
        Project(self.folder, self.environment()).git("clone", "--quiet", str(self.bare), str(path))
        own = {"PREFECT_HOME": f"{name}-home", "STEMMA_SLOTS_FOLDER": f"{name}-slots"}
        return Project(path, self.environment(**{key: str(self.folder / value) for key, value in own.items()}))

    def add_worker(self, name: str) -> "Worker":
        """A machine that works: a clone with the workers of every pool."""
        worker = Worker(self.clone(name))
        self.workers[name] = worker
        return worker

    def environment(self, **more: str) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "GIT_", "PREFECT_"))}
        return {
            **kept,
            **CREDENTIALS,
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PREFECT_API_URL": self.api,
            "MLFLOW_TRACKING_URI": self.mlflow_url,
            "GIT_CONFIG_GLOBAL": "/dev/null",
            **more,
        }

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """What Prefect's server answers; it is asked again while it is busy or away."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.api}{path}", data, {"Content-Type": "application/json"})  # noqa: S310
        deadline = time.monotonic() + 120
        while True:
            try:
                with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 -- our own server
                    return json.loads(answer.read() or "null")
            except urllib.error.HTTPError as error:
                if error.code < HTTPStatus.INTERNAL_SERVER_ERROR or time.monotonic() > deadline:
                    raise AssertionError(f"{path}: {error.code} {error.read().decode()}") from error
            except OSError:
                assert time.monotonic() < deadline, path
            time.sleep(0.5)

    def deploy(self, clone: Project) -> str:
        """Offer the flows, from a clone."""
        return clone.output(sys.executable, "-m", "stemma", "deploy")

    def settings(self, flow: str) -> dict[str, Any]:
        """The tiny settings, as the form of a flow takes them."""
        kinds: dict[str, type[FlowSettings]] = {"rlhf": RlhfSettings, "dpo": DpoSettings, "retrain": RetrainSettings}
        return {key: value for key, value in read_yaml(TINY).items() if key in kinds[flow].model_fields}

    def run(self, flow: str, **parameters: Any) -> str:
        """Ask for a run of a deployment; its id."""
        offered = self.ask(f"/deployments/name/{flow}/{flow}")
        return str(self.ask(f"/deployments/{offered['id']}/create_flow_run", {"parameters": parameters})["id"])

    def flow_run(self, run: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask(f"/flow_runs/{run}")
        return found

    def ended(self, run: str, expected: str = "COMPLETED") -> dict[str, Any]:
        """Wait until a run has ended, as expected; one that crashed has not, for it is put back."""
        deadline = time.monotonic() + SECONDS
        while (found := self.flow_run(run))["state"]["type"] not in ENDED - {"CRASHED"}:
            assert time.monotonic() < deadline, (found["state"], self.words())
            time.sleep(0.5)
        assert found["state"]["type"] == expected, (found["state"], self.words())
        return found

    def words(self) -> str:
        """The last words of the workers."""
        return "\n".join(f"{name}:\n{worker.words()}" for name, worker in self.workers.items())

    def _seed(self) -> Project:
        """The project's files as they are here, with tiny settings and the DVC remote, as one commit."""
        path = self.folder / "seed"
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout.splitlines()  # fmt: skip
        for file in listed:
            if (ROOT / file).is_file():
                (path / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / file, path / file)
        write_yaml(path / "params.yaml", read_yaml(TINY))
        seed = Project(path, self.environment())
        seed.git("init", "--quiet", "--initial-branch", "main")
        seed.dvc("remote", "add", "--default", "s3", f"s3://{BUCKET}/dvc")
        seed.dvc("remote", "modify", "s3", "endpointurl", self.s3.url)
        seed.git("add", "--all")
        seed.git("-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet", "--message", "first")
        return seed

    def _server(self, name: str, command: list[str], health: str, **environment: str) -> Server:
        return Server(name, command, self.folder, self.environment(**environment), self.folder / f"{name}.log", health)


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()  # noqa: S310 -- our own server on loopback
    except OSError:
        return False
    return True
