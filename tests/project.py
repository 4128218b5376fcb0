"""A project in a temporary folder, and the commands that a person would type in it."""

import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from stemma.lineage.dvc import LockEntry
from stemma.lineage.runs import Run, find_run


@dataclass
class Project:
    """A project with tiny settings, and the commands a person would type in it."""

    path: Path
    environment: dict[str, str] = field(repr=False)

    def with_servers_of_its_own(self) -> "Project":
        """The same project, told of no server, so that `stemma up` starts them."""
        named = ("PREFECT_API_URL", "MLFLOW_TRACKING_URI")
        return Project(self.path, {key: value for key, value in self.environment.items() if key not in named})

    def command(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            words, cwd=self.path, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def output(self, *words: str, status: int = 0) -> str:
        process = self.command(*words)
        printed, _ = process.communicate(timeout=300)
        assert process.returncode == status, printed
        return printed

    def start(self, flow: str, name: str, *options: str) -> "subprocess.Popen[str]":
        words = (sys.executable, "-m", "stemma", "run", flow, "--name", name, *options)
        return self.command(*words)

    def run(self, flow: str, name: str, *options: str, status: int = 0) -> str:
        process = self.start(flow, name, *options)
        printed, _ = process.communicate(timeout=300)
        assert process.returncode == status, printed
        return printed

    def dvc(self, *words: str) -> str:
        return self.output(sys.executable, "-m", "dvc", *words)

    def git(self, *words: str) -> str:
        return self.output("git", *words).strip()

    def found(self, name: str) -> Run:
        return find_run(self.path, name)

    def kill_in(self, stage: str, flow: str, name: str) -> str:
        """Start a flow, and `kill -9` it once the stage has logged its third step; return what was printed."""
        process = self.start(flow, name)
        events = self.path / ".stemma" / "logs" / name / f"{stage}.jsonl"
        deadline = time.monotonic() + 300
        while not (events.exists() and events.read_text().count('"step"') >= 3):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline, f"{stage} never began"
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        return process.communicate(timeout=60)[0]


def ids(lock: dict[str, LockEntry]) -> dict[str, str]:
    """Every md5 in a lock: of code, inputs and outputs."""
    return {
        f"{stage} {kind} {item['path']}": item["md5"]
        for stage, entry in lock.items()
        for kind in ("deps", "outs")
        for item in entry[kind]
    }
