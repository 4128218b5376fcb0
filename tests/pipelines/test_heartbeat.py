"""A run is called crashed when its process is dead, and not while that process is busy."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import psutil
import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events.schemas.events import ResourceSpecification
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import dpo, pipeline
from flows.heartbeat import PROGRAM
from flows.people.human_labels import Halt
from flows.service.automations import MISSED_BEATS, notice_death
from flows.service.services import SECONDS_BETWEEN_BEATS
from flows.settings import DpoSettings
from stemma.labelling.store.batch import Progress

ROOT = Path(__file__).resolve().parents[2]
SILENCE = 10
"""Prefect allows no shorter one."""
BUSY = 14
FLOW = f"""
import ctypes, os, signal, sys
from prefect import flow, runtime
from flows.heartbeat import heartbeats

@flow
def busy():
    with heartbeats(1.0):
        print(runtime.flow_run.id, flush=True)
        sys.stdin.readline()
        ctypes.PyDLL(None).sleep({BUSY})  # with Python's lock: no thread of this process gets its turn
        print("done", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

busy()
"""


@pytest.fixture
def client(prefect_api: str) -> Iterator[SyncPrefectClient]:
    with temporary_settings({PREFECT_API_URL: prefect_api}), get_client(sync_client=True) as made:
        yield made


def await_state(client: SyncPrefectClient, run: UUID, is_right: Callable[[str], bool], seconds: float) -> str:
    deadline = time.monotonic() + seconds
    while not is_right(name := client.read_flow_run(run).state_name or ""):
        assert time.monotonic() < deadline, name
        time.sleep(0.5)
    return name


def test_a_busy_run_is_not_taken_for_dead_and_a_killed_one_is(
    client: SyncPrefectClient, prefect_api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", prefect_api)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    process = subprocess.Popen(
        [sys.executable, "-c", FLOW], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin
    assert process.stdout
    run = UUID(process.stdout.readline().strip())
    automation = notice_death(SILENCE)
    only = ResourceSpecification({"prefect.resource.id": f"prefect.flow-run.{run}"})
    trigger = automation.trigger.model_copy(update={"match": only})
    made = client.create_automation(automation.model_copy(update={"name": "of this test", "trigger": trigger}))
    try:
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline() == "done\n"
        assert client.read_flow_run(run).state_name == "Running"
        process.wait()
        await_state(client, run, lambda name: name == "Crashed", 4 * SILENCE)
    finally:
        process.kill()
        client.delete_automation(made)


def test_the_heartbeats_end_before_a_run_is_suspended(prefect_api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A heartbeat that comes after the suspension begins a silence, after which Prefect calls the run crashed."""
    at_work: list[int] = []
    suspended: list[int] = []

    def beating() -> int:
        return sum(str(PROGRAM) in child.cmdline() for child in psutil.Process().children())  # type: ignore[no-untyped-call]

    def work(*_: object) -> Halt:
        at_work.append(beating())
        return Halt("labels", "batch labels is incomplete", Progress(2, 2, 0))

    monkeypatch.setattr(pipeline, "begin", lambda *_: SimpleNamespace(settings=DpoSettings()))
    monkeypatch.setattr(pipeline, "_work", work)
    monkeypatch.setattr(pipeline, "halt_run", lambda *_: suspended.append(beating()))
    with temporary_settings({PREFECT_API_URL: prefect_api}):
        pipeline.run_pipeline("dpo", dpo.STAGES, "dpo", DpoSettings(), "waits")
    assert (at_work, suspended) == ([1], [0])


def test_prefects_own_heartbeat_is_quicker_than_the_silence_that_counts_for_every_run() -> None:
    """A run of the terminal had Prefect's 180 s, and the server waited for 90 s."""
    code = "import flows, prefect.settings as s; print(s.get_current_settings().flows.heartbeat_frequency)"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert 3 * int(told) <= MISSED_BEATS * SECONDS_BETWEEN_BEATS
