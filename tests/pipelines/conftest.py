"""A real project in a temporary folder: Git, DVC, MLflow on sqlite, one Prefect server, and tiny models."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stemma.config import read_yaml, write_yaml
from tests.project import Project

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "pipelines" / "tiny.yaml"


@pytest.fixture(scope="session")
def prefect_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("prefect")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "PREFECT_HOME": str(home), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    api = f"http://127.0.0.1:{port}/api"
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{api}/health", timeout=1).close()  # noqa: S310 -- our own server on loopback
            break
        except OSError:
            assert time.monotonic() < deadline, (home / "log").read_text()
            time.sleep(0.2)
    yield api
    server.terminate()
    server.wait(timeout=30)


@pytest.fixture(scope="session")
def new_project(tmp_path_factory: pytest.TempPathFactory, prefect_api: str) -> Callable[[str], Project]:
    def make(name: str) -> Project:
        path = tmp_path_factory.mktemp(name)
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout.splitlines()  # fmt: skip
        for file in listed:
            if (ROOT / file).is_file():
                (path / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / file, path / file)
        write_yaml(path / "params.yaml", read_yaml(TINY))
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "GIT_"))},
            "PREFECT_API_URL": prefect_api,
            "PREFECT_HOME": str(path.parent / f"{path.name}-home"),
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "STEMMA_SLOTS_FOLDER": str(path.parent / f"{path.name}-slots"),
        }
        project = Project(path, environment)
        project.git("init", "--quiet")
        project.git("add", "--all")
        project.git("-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet", "--message", "first")
        return project

    return make


@pytest.fixture(scope="session")
def undisturbed(new_project: Callable[[str], Project]) -> Project:
    """A project in which `rlhf` has run once as `calm`, then `dpo` as `straight`."""
    project = new_project("undisturbed")
    project.run("rlhf", "calm")
    project.run("dpo", "straight")
    return project
