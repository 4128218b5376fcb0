"""A served flow on a real Prefect server waits for people's labels and goes on by itself, whatever is killed meanwhile.

People answer through the label store, by a rule: the shorter answer is the better one.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.events import BATCH_ENDED, VERDICTS_ARRIVED
from flows.people.label_events import announce
from flows.people.label_watch import count
from flows.service.prefect_file import FILE
from flows.service.stack import running_stack
from flows.settings import DpoSettings
from stemma.config import read_yaml, write_yaml
from stemma.labelling.store.database import store_url
from stemma.labelling.store.shown import Answer, PairChoice, Shown
from stemma.labelling.store.store import LabelStore, open_store
from stemma.lineage.raw_files import raw_files
from stemma.lineage.runs import artifact_id
from stemma.lineage.store import Store
from tests.labelling import batch, person
from tests.pipelines.conftest import ROOT
from tests.pipelines.test_ui import ask, deployment, free_port
from tests.project import Project

SECONDS = 300


def shorter(shown: Shown) -> PairChoice:
    first, second = shown.answers
    return "first" if len(first) < len(second) else "second"


def answer(store: LabelStore, batch: str, verdict: Callable[[Shown], PairChoice], names: tuple[str, ...]) -> None:
    """Have each of these people label all that the batch has for them."""
    for who in [person(store, name) for name in names]:
        while shown := store.desk.next_item(who, batch):
            store.desk.answer(who, batch, Answer(shown.request_id, verdict(shown)))


@dataclass
class Ui:
    """`stemma up` of a project: started, killed with all its servers, started again on the same ports."""

    project: Project
    ports: tuple[int, int, int] = field(default_factory=lambda: (free_port(), free_port(), free_port()))

    def __post_init__(self) -> None:
        names = ("--prefect-port", "--mlflow-port", "--label-port")
        ports = [word for name, port in zip(names, self.ports, strict=True) for word in (name, str(port))]
        self.own = self.project.with_servers_of_its_own()
        self.own.output(sys.executable, "-m", "stemma", "up", *ports)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}/api"

    def kill(self) -> None:
        """`kill -9` of what looks after the servers; they end with it."""
        running = running_stack(self.project.path)
        assert running is not None
        os.kill(running.pid, signal.SIGKILL)
        while running_stack(self.project.path):
            time.sleep(0.1)

    def stop(self) -> None:
        self.own.output(sys.executable, "-m", "stemma", "down")

    def start(self, name: str, **human: Any) -> str:
        """Ask for a run of `dpo` with people's labels; its id."""
        params = self.project.found("straight").params
        settings = {key: value for key, value in params.items() if key in DpoSettings.model_fields}
        settings |= {"label": {**settings["label"], "source": "human"}, "human": {**settings["human"], **human}}
        parameters = {"parameters": {"settings": settings, "name": name}}
        offered = deployment(self.api, "dpo")
        return str(ask(f"{self.api}/deployments/{offered['id']}/create_flow_run", parameters)["id"])

    def state(self, run: str) -> dict[str, Any]:
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                state: dict[str, Any] = ask(f"{self.api}/flow_runs/{run}")["state"]
            except TimeoutError:
                # A server that has just started answers late on a machine that is busy.
                assert time.monotonic() < deadline
                continue
            return state

    def reaches(self, run: str, name: str) -> dict[str, Any]:
        """Wait until a run is in a state of that name."""
        deadline = time.monotonic() + SECONDS
        while (state := self.state(run))["name"] != name:
            ended = state["type"] in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
            assert not ended, (name, state["name"], state["message"])
            assert time.monotonic() < deadline, (name, state["name"])
            time.sleep(0.3)
        return state

    def waits(self, run: str, after: int = 0) -> str:
        """Wait until a run is suspended for the time of that number; what it asks the reviewer."""
        while (state := self.reaches(run, "Suspended"))["state_details"]["pause_key"] != f"labels-{after}":
            time.sleep(0.3)
        keys = state["state_details"]["run_input_keyset"]
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                return str(ask(f"{self.api}/flow_runs/{run}/input/{keys['description']}"))
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.1)

    def resume(self, run: str, **review: str) -> dict[str, Any]:
        answered: dict[str, Any] = ask(f"{self.api}/flow_runs/{run}/resume", {"run_input": review})
        return answered


@pytest.fixture
def ui(undisturbed: Project) -> Iterator[Ui]:
    started = Ui(undisturbed)
    yield started
    started.stop()


@pytest.fixture
def store(undisturbed: Project) -> Iterator[LabelStore]:
    assert "STEMMA_LABEL_STORE" not in os.environ
    opened = open_store(store_url(undisturbed.path))
    yield opened
    opened.close_connections()


def test_a_flow_waits_for_people_and_goes_on_by_itself(undisturbed: Project, ui: Ui, store: LabelStore) -> None:
    runs = {
        "asked": ui.start("asked", pairs=60, overlap=2),
        "tied": ui.start("tied", pairs=1, gold_share=0),
        "refused": ui.start("refused", pairs=2, gold_share=0),
    }
    for name, run in runs.items():
        assert f"batch {name} is incomplete: 0 of" in ui.waits(run)
    assert not list((undisturbed.path / ".stemma" / "workspaces").glob("*/"))
    (page,) = ask(f"{ui.api}/artifacts/latest/filter", {"artifacts": {"key": {"any_": ["labels-asked"]}}})
    assert "[label](http://127.0.0.1:8377)" in page["data"]
    assert "| 57 | 0 | 114 | 0% |" in page["data"]
    mlflow = MlflowClient(f"sqlite:///{undisturbed.path / 'mlflow.db'}")
    assert [run.info.status for run in parents(mlflow, "asked")] == ["SCHEDULED"]

    # Somebody resumes it too early; another refuses; the third batch is closed by its last verdict.
    assert "required" in ui.resume(runs["asked"], decision="refuse")["details"]["reason"]
    answer(store, "asked", shorter, ("ann",))
    ui.resume(runs["asked"], reviewer="Zoë", decision="go on", note="hurry")
    ui.resume(runs["refused"], reviewer="Zoë", decision="refuse", note="too few")
    answer(store, "tied", lambda _: "tie", ("ann",))
    assert ui.reaches(runs["refused"], "Refused")["message"] == "Zoë refused the labels of batch refused: too few"
    assert "none of 1 judged pairs gives a comparison" in ui.reaches(runs["tied"], "Failed")["message"]
    assert "Zoë said to go on, but batch asked is incomplete: 57 of 114 verdicts" in ui.waits(runs["asked"], after=1)

    # Everything is killed; the batch is closed and newer code comes meanwhile; everything is started again.
    ui.kill()
    began_from = undisturbed.git("rev-parse", "HEAD")
    named = ("-c", "user.name=t", "-c", "user.email=t@localhost")
    undisturbed.git(*named, "commit", "--quiet", "--allow-empty", "--message", "newer code")
    answer(store, "asked", shorter, ("böb",))
    assert {batch.id for batch in store.unannounced()} == {"asked"}
    again = Ui(undisturbed, ui.ports)
    try:
        again.reaches(runs["asked"], "Completed")
    finally:
        again.stop()
        undisturbed.git("reset", "--quiet", "--soft", began_from)
    assert undisturbed.found("asked").baseline == began_from
    assert not store.unannounced()
    check_record(undisturbed, store, runs["asked"])
    assert [run.info.status for run in parents(mlflow, "asked")] == ["FINISHED"]
    assert [run.info.status for run in parents(mlflow, "refused")] == ["KILLED"]


def events(prefect_api: str, name: str) -> list[dict[str, Any]]:
    """Wait until Prefect has heard events of a name, and return them."""
    wanted = {"filter": {"event": {"name": [name]}}, "limit": 10}
    deadline = time.monotonic() + SECONDS
    while not (told := ask(f"{prefect_api}/events/filter", wanted)["events"]):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    found: list[dict[str, Any]] = told
    return found


def test_the_end_of_a_batch_for_which_no_run_waits_is_said_once(
    prefect_api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", prefect_api)
    store = open_store(f"sqlite:///{tmp_path / 'labels.db'}")
    store.make_batch(batch(1, id="alone"))
    answer(store, "alone", lambda _: "first", ("ann",))
    assert announce(tmp_path, store)
    assert not store.unannounced()
    store.close_connections()
    told = events(prefect_api, BATCH_ENDED)
    assert [(event["resource"]["prefect.resource.name"], event["payload"]["state"]) for event in told] == [
        ("alone", "closed")
    ]


def test_how_many_verdicts_start_a_round_is_read_at_each_look(
    prefect_api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", prefect_api)
    file = read_yaml(ROOT / FILE)
    store = open_store(f"sqlite:///{tmp_path / 'labels.db'}")
    store.make_batch(batch(2, id="counted"))
    answer(store, "counted", lambda _: "first", ("ann",))
    with temporary_settings({PREFECT_API_URL: prefect_api}):
        write_yaml(tmp_path / FILE, {**file, "retrain_on": {"verdicts": 3}})
        count(tmp_path, store, {})
        write_yaml(tmp_path / FILE, {**file, "retrain_on": {"verdicts": 2}})
        count(tmp_path, store, {})
    store.close_connections()
    told = events(prefect_api, VERDICTS_ARRIVED)
    assert [event["payload"]["verdicts"] for event in told] == [2]


def test_in_a_terminal_the_same_command_goes_on(undisturbed: Project, store: LabelStore) -> None:
    changes = ("sample.temperature=0.9", "label.source=human", "human.pairs=1", "human.gold_share=0")
    command = ("dpo", "hand", *(word for change in changes for word in ("--set", change)))
    waiting = undisturbed.run(*command, status=3)
    assert "batch hand is incomplete: 0 of 1 verdict" in waiting
    assert "once it is closed, the same command with --name hand goes on" in waiting
    assert "Traceback" not in waiting
    answer(store, "hand", lambda _: "tie", ("ann",))
    printed = undisturbed.run(*command, status=2)
    assert "sft is restored: nothing changed, run calm made it" in printed
    assert "sample is restored: this run made it before" in printed
    assert "batch hand was closed by the last verdict" in printed
    assert "none of 1 judged pairs gives a comparison" in printed


def parents(mlflow: MlflowClient, name: str) -> list[Any]:
    experiment = mlflow.get_experiment_by_name("stemma")
    assert experiment is not None
    return list(mlflow.search_runs([experiment.experiment_id], f"attributes.run_name = '{name}'"))


def check_record(project: Project, store: LabelStore, flow_run: str) -> None:
    """The annotators, the verdicts and who closed the batch stand in the run's lineage."""
    run = project.found("asked")
    assert run.trailers["Prefect-Flow-Run"] == flow_run
    told = json.loads(project.output(sys.executable, "-m", "stemma", "trace", "asked", "--json"))["artifacts"]
    (label,) = [one for one in told if one["name"] == "label"]
    (raw,) = [one for one in told if one["name"] == "inputs/labels"]
    assert set(label["labellers"]) == {"ann", "böb"}
    assert sum(label["labellers"].values()) == len(store.verdicts("asked")) == 114
    assert raw["dvc_id"] in label["made_from"]
    files = {file.path: file.md5 for file in raw_files(project.path, run.commit, "inputs/labels")}
    with Store(project.path) as kept:
        batch = json.loads(kept.cache.read(files["batch.json"]))
    assert batch["closed_by"] == "the last verdict"
    assert [(said["reviewer"], said["decision"], said["note"]) for said in batch["reviews"]] == [
        ("Zoë", "go on", "hurry")
    ]
    assert batch["source"]["sample"] == artifact_id(run.lock["sample"])
