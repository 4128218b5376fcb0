"""A flow run from its settings to a registered model: one worktree, one Prefect task a stage, one DVC experiment."""

from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from prefect import get_run_logger, runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State

from flows.attempt import leave_if_taken_up
from flows.beginning import (
    Beginning,
    begin,
    drop_beginning,
    exchange_of,
    going_on_after_a_kill,
    is_deployed,
    keep_beginning,
    keep_settings,
)
from flows.display import Display
from flows.hardware import machine_kind
from flows.heartbeat import heartbeats
from flows.own_data import check_data_suits
from flows.people.human_labels import Halt, People, asked_people
from flows.people.suspension import Waiting, halt_run
from flows.planning.announcing import announce_plan
from flows.planning.dry_run import Planned, plan_only
from flows.planning.spending import Spending
from flows.projection import Projection
from flows.result_page import FlowReport, show_result
from flows.round import Round, take_inputs
from flows.settings import FlowSettings, ProjectSettings, stage_values
from flows.stage_run import StageRunner
from flows.termination import ending_soon_on_sigterm
from stemma.errors import StemmaError
from stemma.lineage.dvc import Pipeline
from stemma.lineage.environment import stage_environment
from stemma.lineage.forgotten import taints
from stemma.lineage.git import Git, find_project
from stemma.lineage.registering import register_shared
from stemma.lineage.run_transfer import push_run
from stemma.lineage.runs import EVALUATION, FLOW_RUN, find_run, run_message
from stemma.lineage.sharing import shared_through
from stemma.lineage.workspace import open_workspace
from stemma.records.json_file import read_json
from stemma.stage.definition import ARTIFACTS, PARAMS_FILE
from stemma.stage.locks import lock
from stemma.stage.manifest import verify_manifest
from stemma.stage.slots import in_line
from stemma.view.facts import code_tags, repository_tags, warning_tags
from stemma.view.live_run import MlflowView

P = ParamSpec("P")
T = TypeVar("T")


def run_name() -> str:
    """The name of the present flow run: the one it was given, or Prefect's."""
    return str(runtime.flow_run.parameters.get("name") or runtime.flow_run.name)


def run_pipeline(
    flow: str,
    stages: Sequence[str],
    policy: str,
    settings: FlowSettings,
    name: str,
    dry_run: bool = False,
    this_round: Round | None = None,
) -> FlowReport | State[Waiting] | State[Planned]:
    """Bring the stages up to date one by one, save them as a DVC experiment, and register the policy.

    It tells its plan first, and with `dry_run` nothing else.

    Where people's labels are missing, the flow run is suspended, or ends in a state that says so.
    Raises StemmaError where the run cannot begin or a stage fails; what is finished stays in the cache.
    """
    name = name or run_name()
    root = find_project(Path.cwd())
    # The heartbeats end first: after one that came later, a suspended run would be silent, and be called crashed.
    with heartbeats():
        if dry_run:
            return plan_only(root, policy, stages, settings, name, this_round)
        beginning = begin(root, policy, settings, name)
        ended = _work(root, flow, stages, policy, name, beginning, this_round)
        if not isinstance(ended, Halt):
            if this_round is None:
                show_result(root, ended)
                drop_beginning(root)
            return ended
    if ended.progress is None:
        drop_beginning(root)
    return halt_run(ended, name, beginning.settings.human)


def _work(
    root: Path,
    flow: str,
    stages: Sequence[str],
    policy: str,
    name: str,
    beginning: Beginning,
    this_round: Round | None,
) -> FlowReport | Halt:
    """Run a flow in a workspace of its own."""
    settings = beginning.settings
    with (
        nullcontext() if is_deployed() else ending_soon_on_sigterm(),
        stage_environment(root / ".stemma" / "scratch", Git(root).has_identity()),
        in_line(name, runtime.flow_run.scheduled_start_time.timestamp()),
        Display() as display,
        Projection(root, display.say) as projection,
        asked_people(root, settings, name) as people,
        open_workspace(root, name, beginning.start, beginning.params, beginning.files) as workspace,
        closing(Pipeline(workspace.path)) as pipeline,
        exchange_of(root, beginning, display.say) as exchange,
    ):
        if beginning.again:
            this_round = this_round and this_round.as_begun(beginning.facts)
        else:
            take_inputs(root, workspace.path, this_round)
        facts = this_round.named() if this_round else {}
        keep_beginning(beginning, workspace, facts, display.say)
        runner = StageRunner(
            workspace, settings, pipeline, projection, display, get_run_logger().info, beginning.earlier, taints(root),
            Spending(root, name), partial(keep_settings, workspace, facts, display.say), beginning.again, exchange,
        )  # fmt: skip
        with going_on_after_a_kill(root):
            return _FlowRun(flow, stages, policy, runner, people, this_round).carry_out()


@dataclass(frozen=True)
class _FlowRun:
    """The steps of one flow run."""

    flow: str
    stages: Sequence[str]
    policy: str
    runner: StageRunner
    people: People | None
    this_round: Round | None

    def carry_out(self) -> FlowReport | Halt:
        """Run the stages, save, push, register; the view in MLflow ends as the run does."""
        status, why = "FAILED", ""
        workspace = self.runner.workspace
        dirty = " with uncommitted changes" if workspace.dirty else ""
        self.runner.display.say(f"run {workspace.name}: flow {self.flow} at commit {workspace.commit[:8]}{dirty}")
        announce_plan(self.runner, self.stages)
        settings = (workspace.path / PARAMS_FILE).read_text(encoding="utf-8")
        self.runner.projection.post(MlflowView.begin, workspace.name, self._tags(), settings)
        self.runner.projection.post(MlflowView.close_dead, [workspace.name, *workspace.swept])
        try:
            halt = self._run_stages()
            if halt:
                status, why = ("SCHEDULED" if halt.progress else "KILLED"), halt.words
                return halt
            leave_if_taken_up()
            _task(self._save, "save")()
            _task(self._push, "push")()
            leave_if_taken_up()
            version = _task(self._register, "register")()
            status = "FINISHED"
        finally:
            log = "\n".join([*self.runner.display.lines, ""])
            self.runner.projection.ask(MlflowView.end, status, why, log)
        return FlowReport(
            run=workspace.name,
            flow=self.flow,
            policy=self.runner.artifacts[self.policy],
            model=self.runner.settings.registry.model,
            version=version,
            ran=self.runner.ran,
            metrics=self._metrics(),
            place=self.runner.projection.ask(MlflowView.place) or "",
        )

    def _run_stages(self) -> Halt | None:
        """Bring every stage up to date; people are asked as soon as there are samples, and their labels taken late."""
        for stage in self.stages:
            halt = self.people.take(self.runner) if self.people and stage == "label" else None
            if halt:
                return halt
            leave_if_taken_up()
            _task(self.runner.run, stage)(stage)
            if stage == "data":
                report = read_json(self.runner.workspace.path / ARTIFACTS / "data" / "report.json")
                check_data_suits(self.runner.settings, report)
            if self.people:
                self.people.ask(stage, self.runner, str(runtime.flow_run.id))
        return None

    def _save(self) -> None:
        """Save the workspace as a DVC experiment."""
        workspace, artifacts = self.runner.workspace, self.runner.artifacts
        facts = {
            "Flow": self.flow,
            "Stages": " ".join(artifacts),
            "Made": " ".join(f"{stage}={artifacts[stage]}" for stage in self.runner.ran),
            "Policy": f"{self.policy}={artifacts[self.policy]}",
            "Dirty": str(workspace.dirty).lower(),
            "Machine": machine_kind(self.runner.settings),
            "Seconds": " ".join(f"{stage}={took:.1f}" for stage, took in self.runner.spending.measured().items()),
            FLOW_RUN: str(runtime.flow_run.id),
            **(self.this_round.facts(workspace.path) if self.this_round else {}),
        }
        if not any(run.name == workspace.name for run in self.runner.earlier):
            with lock(workspace.root / ".stemma" / "experiments.lock"):
                self.runner.pipeline.save_experiment(workspace.name, run_message(workspace.name, facts))
        self.runner.spending.close()
        commit = Git(workspace.root).run("rev-parse", "--verify", f"{self._experiment_ref()}")
        saved = {"stemma.experiment": workspace.name, "stemma.experiment_commit": commit}
        warnings = warning_tags({stage: self.runner.metrics(stage) for stage in self.stages})
        self.runner.projection.post(MlflowView.tag_all, {**self._tags(), **saved, **warnings})

    def _experiment_ref(self) -> str:
        commit = self.runner.workspace.commit
        return f"refs/exps/{commit[:2]}/{commit[2:]}/{self.runner.workspace.name}"

    def _push(self) -> None:
        """Push the run and its bytes, where both a Git and a DVC remote are configured."""
        root, name, say = self.runner.workspace.root, self.runner.workspace.name, self.runner.display.say
        if shared_through(root) is None:
            return
        if set(self.runner.artifacts.values()) & set(self.runner.tainted):
            say("not pushed: it holds what was forgotten on request, or descends from it")
            return
        if self.runner.exchange:
            self.runner.exchange.settle()
        try:
            say(push_run(root, find_run(root, name), by_flow=True).words())
        except StemmaError as error:
            say(f"not pushed, run `stemma push {name}` later: {error}")

    def _register(self) -> str:
        """Check the policy's bytes and register them: in Git, which MLflow then follows."""
        workspace, model = self.runner.workspace, self.runner.settings.registry.model
        verify_manifest(workspace.path / ARTIFACTS / self.policy)
        dvc_id = self.runner.artifacts[self.policy]
        commit = Git(workspace.root).run("rev-parse", "--verify", self._experiment_ref())
        version, unseen = register_shared(workspace.root, model, workspace.name, commit, self.policy, dvc_id)
        self.runner.projection.post(MlflowView.register, model, version, stage_values(ProjectSettings()))
        name = f"{model}/{version.number}"
        self.runner.projection.post(MlflowView.tag_all, {"stemma.model_version": name})
        self.runner.display.say(
            f"registered as {name}" + (f"; other clones do not see it yet: {unseen}" if unseen else "")
        )
        return str(version.number)

    def _tags(self) -> dict[str, str]:
        workspace = self.runner.workspace
        return {
            **repository_tags(workspace.root),
            **code_tags(self.flow, workspace.commit),
            "stemma.flow": self.flow,
            "stemma.run": self.runner.workspace.name,
            "stemma.dirty": str(self.runner.workspace.dirty).lower(),
            "prefect.flow_run_id": str(runtime.flow_run.id),
        }

    def _metrics(self) -> dict[str, float]:
        return self.runner.metrics(f"{EVALUATION}{self.policy}")


def _task(function: Callable[P, T], name: str) -> Callable[P, T]:
    """A Prefect task round a step; DVC alone decides what is up to date, so Prefect caches nothing."""
    return task(name=name, task_run_name=name, cache_policy=NO_CACHE, persist_result=False)(function)
