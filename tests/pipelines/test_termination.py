"""SIGTERM to a run whose stage waits for a slot: it ends within seconds, and says so in one line."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from flows.termination import WORDS
from stemma.config import read_yaml
from stemma.stage.offer import offer_of_machine
from stemma.stage.resources import needs_of
from stemma.stage.tickets import FOLDER_VARIABLE, alive, taken
from tests.project import Project

SECONDS = 30.0
"""A machine with other work takes a while even to end; before, it took 140 s."""


def test_a_run_that_waits_for_a_slot_ends_on_sigterm(
    new_project: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal goes to the whole group, as from a container: Prefect's temporary server ends too."""
    project = new_project("terminated").with_servers_of_its_own()
    monkeypatch.setenv(FOLDER_VARIABLE, project.environment["STEMMA_SLOTS_FOLDER"])
    needs = needs_of("base", read_yaml(project.path / "params.yaml"))
    with taken("base", "other", 0.0, needs, offer_of_machine("cpu"), print):
        process = subprocess.Popen(
            (sys.executable, "-m", "stemma", "run", "dpo", "--name", "stopped"),
            cwd=project.path, env=project.environment, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        await_line(project, process)
        began = time.monotonic()
        os.killpg(process.pid, signal.SIGTERM)
        printed = process.communicate(timeout=300)[0]
        took = time.monotonic() - began
        tickets = alive(Path(os.environ[FOLDER_VARIABLE]))
    assert took < SECONDS
    _, waits, after = printed.partition("base waits for a CPU slot: taken by run other")
    assert waits, printed
    assert [line for line in after.splitlines()[1:] if line.strip()] == [WORDS]
    assert process.returncode in {-signal.SIGTERM, 128 + signal.SIGTERM}
    assert [ticket.run for ticket in tickets] == ["other"]
    deadline = time.monotonic() + SECONDS
    while (left := living(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not left


def living(group: int) -> list[str]:
    """The commands of a process group that still run; one that has ended and that nobody has waited for does not."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            name, _, rest = (folder / "stat").read_text().rpartition(")")
            state, _, pgrp = rest.split()[:3]
            if int(pgrp) == group and state != "Z":
                found.append(name)
    return found


def await_line(project: Project, process: "subprocess.Popen[str]") -> None:
    """Wait until the terminal has been told that the stage waits."""
    log = project.path / ".stemma" / "logs" / "stopped" / "base.jsonl"
    deadline = time.monotonic() + 240
    while not (log.exists() and '"waits"' in log.read_text()):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(2)
