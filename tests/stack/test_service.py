"""What a person sees and starts in Prefect, on the real stack; each test goes on from what the one before it left."""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from flows.events import DATA_CHANGED, VERDICTS_ARRIVED, prefect_of
from flows.people.label_events import announce
from flows.round_events import announce_verdicts
from stemma.config import write_yaml
from stemma.labelling.store.store import LabelStore, open_store
from stemma.lineage.history import Move, moves_of
from tests.labelling import batch, person, say
from tests.project import Project
from tests.stack.listener import Listener
from tests.stack.mailbox import Mailbox
from tests.stack.prefect_ui import prefect_ui
from tests.stack.stack import ENDED, Stack
from tests.stack.waiting import until

QUICK = {"dpo": {"epochs": 1}, "eval": {"prompts": 20}, "round": {"method": "dpo"}}
OPEN_GATES = {"accuracy_tolerance": 1, "hallucination_tolerance": 1, "refusal_tolerance": 1, "beat_length": False}
"""All but the win rate let everything pass."""
BRANCH = "service"


@dataclass
class Service:
    """The stack with two workers, their branch of the project, and who is told of what happens."""

    stack: Stack
    desk: Project
    """The clone of the person who deploys."""
    listener: Listener
    mailbox: Mailbox
    store: LabelStore

    def set_gate(self, least_win_rate: float) -> None:
        """Let nothing be promoted that wins less often, wherever a worker acts."""
        write_yaml(self.desk.path / "params.yaml", {"promotion": {**OPEN_GATES, "least_win_rate": least_win_rate}})
        self.push(f"win rate above {least_win_rate}")
        for worker in self.stack.workers.values():
            worker.clone.git("pull", "--quiet")

    def push(self, message: str) -> None:
        """Hand on what changed at the desk to whoever works."""
        self.desk.git("add", "--all")
        self.desk.git("-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet", "-m", message)
        self.desk.git("push", "--quiet", "origin", BRANCH)

    def moves(self) -> list[Move]:
        """How the champion moved, as the Git remote has it."""
        self.desk.git("fetch", "--quiet", "origin", "+refs/exps/*:refs/exps/*", "+refs/stemma/*:refs/stemma/*")
        return moves_of(self.desk.path, "policy", "champion")

    def id(self, flow: str) -> str:
        """The id of a deployment."""
        return str(self.stack.ask(f"/deployments/name/{flow}/{flow}")["id"])

    def runs(self, flow: str) -> list[dict[str, Any]]:
        """The runs of a flow, the first first."""
        wanted = {"flows": {"name": {"any_": [flow]}}, "sort": "EXPECTED_START_TIME_ASC"}
        found: list[dict[str, Any]] = self.stack.ask("/flow_runs/filter", wanted)
        return found

    def page(self, key: str) -> str:
        """The newest page of a key."""
        wanted = {"artifacts": {"key": {"any_": [key]}}}
        (found,) = until(lambda: self.stack.ask("/artifacts/latest/filter", wanted), key, 60)
        return str(found["data"])

    def events(self, name: str) -> list[dict[str, Any]]:
        """The events of a name."""
        found = self.stack.ask("/events/filter", {"filter": {"event": {"name": [name]}}, "limit": 50})
        told: list[dict[str, Any]] = found["events"]
        return told


@pytest.fixture(scope="module")
def service(stack: Stack) -> Iterator[Service]:
    url = f"sqlite:///{stack.folder / 'service.db'}"
    made = Service(stack, stack.clone("desk"), Listener(), Mailbox(), open_store(url))
    made.desk.git("checkout", "--quiet", "-b", BRANCH)
    write_yaml(made.desk.path / "params.yaml", QUICK)
    notifications = [
        {"kind": "webhook", "address": "STEMMA_WEBHOOK"},
        {"kind": "email", "address": "STEMMA_MAILBOX", "of": ["refusal"]},
    ]
    started_by = {"batch_ended": True, "verdicts": 2, "data_changed": True}
    write_yaml(made.desk.path / "prefect.yaml", {"retrain_on": started_by, "notifications": notifications})
    made.set_gate(0.99)
    for name in ("left", "right"):
        worker = stack.add_worker(name)
        worker.clone.git("checkout", "--quiet", BRANCH)
        worker.clone.environment["STEMMA_LABEL_STORE"] = url
        worker.start()
    made.desk.environment["STEMMA_WEBHOOK"] = made.listener.url
    refused = made.desk.output(sys.executable, "-m", "stemma", "deploy", status=2)
    assert "the environment has no STEMMA_MAILBOX" in refused
    made.desk.environment["STEMMA_MAILBOX"] = made.mailbox.url
    printed = stack.deploy(made.desk)
    assert "webhook STEMMA_WEBHOOK is told of a refusal" in printed
    assert made.listener.path not in printed
    assert made.mailbox.url not in printed
    yield made
    made.listener.stop()
    made.mailbox.stop()
    made.store.close_connections()


def test_a_flow_is_started_from_the_form(service: Service) -> None:
    stack, other = service.stack, ("settings (Optional)", "All other settings (Optional)")
    with prefect_ui(stack.prefect_url) as ui:
        ui.open_form(service.id("rlhf"))
        ui.picture("prefect-form-after")
        print(f"the form of rlhf: {ui.height()} pixels, {ui.controls()} controls")
        assert ui.height() < 5_000
        ui.open_form(service.id("dpo"))
        ui.fill("0.25", "settings (Optional)", "DPO (Optional)", "Beta (Optional)")
        ui.name("from-the-form")
        ui.picture("prefect-form")
        ui.picture("prefect-form-folded", *other)
        ui.open_section(*other)
        ui.open_section(*other, "Labels from people (Optional)")
        ui.fill("2", *other, "Labels from people (Optional)", "Overlap (Optional)")
        ui.submit()
        (asked,) = until(lambda: service.runs("dpo")[-1:], "the run that was asked for")
        stack.ended(asked["id"])
        ui.open_run(asked["id"])
        ui.shows("Completed")
        ui.picture("prefect-run")
        ui.open_page("result-from-the-form")
        ui.shows("Family tree")
        ui.picture("prefect-result")
    assert asked["name"] == "from-the-form"
    assert asked["parameters"]["settings"]["dpo"]["beta"] == 0.25
    assert asked["parameters"]["settings"]["other_settings"]["human"]["overlap"] == 2
    assert asked["tags"] == ["training"]
    page = service.page("result-from-the-form")
    assert "Changed settings: `human.overlap` 1 → 2, `dpo.beta` 0.3 → 0.25\n" in page
    assert "| mean gold score |" in page
    assert "└── " in page
    assert f"[policy/1]({stack.mlflow_url}/#/models/policy/versions/1)" in page
    (shown,) = re.findall(rf"\[Run in MLflow\]\({stack.mlflow_url}/#/experiments/\d+/runs/(\w+)[^)]*\)", page)
    answer = httpx.get(f"{stack.mlflow_url}/api/2.0/mlflow/runs/get", params={"run_id": shown}).json()
    assert answer["run"]["info"]["run_name"] == "from-the-form"
    for stage in ("base", "sft", "dpo"):
        assert service.page(f"progress-from-the-form-{stage}") == "100.0"


def test_a_form_refuses_what_is_out_of_bounds(service: Service) -> None:
    settings = service.stack.settings("dpo")
    for change, words in (({"beta": -1}, "minimum of 0"), ({"tuning": "half"}, "half"), ({"betta": 1}, "betta")):
        with pytest.raises(AssertionError, match=rf": 409 .*{words}"):
            service.stack.run("dpo", settings={**settings, "dpo": change})
    schema = service.stack.ask("/deployments/name/retrain/retrain")["parameter_openapi_schema"]
    assert schema["definitions"]["RoundConfig"]["properties"]["method"]["enum"] == ["rlhf", "dpo"]


def test_the_gates_refuse(service: Service) -> None:
    run = service.stack.run("promote", model="from-the-form", reason="the first", who="Zoë")
    ended = service.stack.ended(run, "CANCELLED")
    assert ended["state"]["name"] == "Refused"
    assert "gates refuse:\n  win rate: " in ended["state"]["message"]
    assert service.listener.told_of("refusal") == ended["state"]["message"]
    (mail,) = until(lambda: service.mailbox.messages, "a mail", 60)
    assert (mail["Subject"], mail["To"]) == ("Stemma: refusal", "team@example.org")
    assert "all above 0.99" in mail.get_payload(0).get_payload()  # type: ignore[union-attr]
    assert "all above 0.99" in service.page("result-promote")


def test_a_promotion(service: Service) -> None:
    service.set_gate(0.0)
    service.stack.ended(service.stack.run("promote", model="policy/1", reason="the first", who="Zoë"))
    (move,) = service.moves()
    assert (move.before, move.after, move.asked_by, move.reason) == ("", "policy/1", "Zoë", "the first")
    assert "promote  nothing → policy/1" in service.listener.told_of("promotion")
    assert "asked by Zoë: the first" in service.page("result-promote")


def test_events_at_once_start_one_round_and_a_refused_policy_does_not_serve(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.set_gate(0.99)
    stack, store = service.stack, service.store
    monkeypatch.setenv("PREFECT_API_URL", stack.api)
    for name in ("one", "two"):
        store.make_batch(batch(1, id=name))
        say(store, person(store, "ann"), batch_id=name)
    with prefect_of(service.desk.path) as client:
        assert client
        announce_verdicts(client, store, 2)  # first: once a round has begun, nobody says it again
        assert announce(service.desk.path, store)
        (first,) = until(lambda: service.runs("retrain"), "a round")
        announce_verdicts(client, store, 2)
    (said,) = until(lambda: service.events(VERDICTS_ARRIVED), "the event")
    assert said["payload"]["verdicts"] == 2
    plan = stack.run("retrain", dry_run=True)
    ended = stack.ended(first["id"])
    assert ended["state"]["name"] == "ChampionKept"
    assert "all above 0.99" in ended["state"]["message"]
    planned = stack.ended(plan)
    assert planned["state"]["name"] == "Planned"
    assert planned["start_time"] >= ended["end_time"]
    assert len(service.runs("retrain")) == 2
    assert [move.after for move in service.moves()] == ["policy/1"]
    assert ": ChampionKept" in service.page(f"result-{ended['name']}")
    (told,) = rounds(service)
    assert (told["run"], told["parent"], told["verdict"]) == (ended["name"], "policy/1", "refused")


def test_a_cron_run_tells_of_new_data_and_a_round_promotes(service: Service) -> None:
    service.set_gate(0.0)
    stack, reconcile = service.stack, service.id("reconcile")
    before = len(service.runs("retrain"))
    (service.desk.path / "inputs" / "data" / "README").write_text("Newer data.\n")
    service.push("newer data")
    schedule = {"schedule": {"cron": "* * * * *", "timezone": "UTC"}, "active": True}
    address = f"{stack.api}/deployments/{reconcile}/schedules"
    (made,) = httpx.post(address, json=[schedule]).raise_for_status().json()
    ended = until(lambda: [run for run in service.runs("reconcile") if run["state"]["type"] in ENDED], "a cron run")
    assert ended[0]["auto_scheduled"]
    assert stack.ended(ended[0]["id"])["state"]["type"] == "COMPLETED"
    # Whichever worker it was, it knows of what the other did.
    assert "0 records are mended; left as they are: 0" in service.page("result-reconcile")
    started = until(lambda: service.runs("retrain")[before:], "a round")
    httpx.delete(f"{address}/{made['id']}").raise_for_status()
    assert until(lambda: service.events(DATA_CHANGED), "the event")
    kill_in_task(stack, "promote", started[0]["id"])
    promoted = stack.ended(started[0]["id"])
    assert (promoted["state"]["name"], promoted["run_count"]) == ("Promoted", 2)
    assert [move.after for move in service.moves()] == ["policy/1", rounds(service)[-1]["version"]]
    assert [told["number"] for told in rounds(service)] == [1, 2]
    assert len(service.runs("retrain")) == before + 1


def test_a_rollback_is_started_from_the_form(service: Service) -> None:
    newest = service.moves()[-1].after
    with prefect_ui(service.stack.prefect_url) as ui:
        ui.open_form(service.id("rollback"))
        ui.fill("it answers in riddles", "reason")
        ui.fill("Zoë", "who (Optional)")
        ui.name("back")
        ui.picture("prefect-rollback")
        ui.submit()
        (asked,) = until(lambda: service.runs("rollback"), "the rollback")
        service.stack.ended(asked["id"])
    move = service.moves()[-1]
    assert (move.act, move.before, move.after) == ("rollback", newest, "policy/1")
    assert (move.asked_by, move.reason) == ("Zoë", "it answers in riddles")
    assert f"rollback  {newest} → policy/1" in service.listener.told_of("rollback")


def test_a_failure_and_a_run_that_waits_are_told(service: Service) -> None:
    stack, settings = service.stack, service.stack.settings("dpo")
    failing = stack.run("dpo", name="failing", settings={**settings, "data": {"files": ["nowhere.jsonl"]}})
    human = {"label": {"source": "human"}, "human": {"pairs": 2, "gold_share": 0}}
    waiting = stack.run("dpo", name="waiting", settings={**settings, **human})
    stack.ended(failing, "FAILED")
    assert "nowhere.jsonl" in service.listener.told_of("failure", "dpo failing is Failed: ")
    told = service.listener.told_of("waiting")
    assert "Run waiting waits for people's labels. batch waiting is incomplete: 0 of 2 verdicts" in told
    until(lambda: stack.flow_run(waiting)["state"]["name"] == "Suspended" or None, "the suspension")
    stack.ask(f"/flow_runs/{waiting}/set_state", {"state": {"type": "CANCELLED"}, "force": True})


def kill_in_task(stack: Stack, task: str, run: str) -> None:
    """`kill -9` of a run's process while a task of it is at work; its worker lives on."""
    wanted = {
        "flow_runs": {"id": {"any_": [run]}},
        "task_runs": {"name": {"any_": [task]}, "state": {"type": {"any_": ["RUNNING"]}}},
    }
    until(lambda: stack.ask("/task_runs/filter", wanted), f"task {task}")
    started = [process for worker in stack.workers.values() for process in worker.processes()]
    flows = [process for process in started if "prefect.engine" in process.cmdline()]
    (flow,) = [process for process in flows if process.environ()["PREFECT__FLOW_RUN_ID"] == run]
    flow.kill()


def rounds(service: Service) -> list[dict[str, Any]]:
    """The rounds on record."""
    told: list[dict[str, Any]] = json.loads(service.desk.output(sys.executable, "-m", "stemma", "rounds", "--json"))
    return told
