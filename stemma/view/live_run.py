"""The view of a run in MLflow: a parent run, one child run a stage, datasets and models in and out.

Everything here can be lost and made again from Git and DVC, so a store that does not answer never stops a run: the
first failure is told once, and the rest of the run goes unseen.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from stemma.config import Values
from stemma.lineage.answers import answers_in
from stemma.lineage.dvc import LockEntry
from stemma.lineage.index import Index
from stemma.lineage.placeholders import known_emptiness, shown_inputs
from stemma.lineage.registry import Version
from stemma.lineage.runs import EVALUATION, Run, artifact_id
from stemma.lineage.store import Store
from stemma.metric_names import require_declared
from stemma.stage.locks import lock
from stemma.view.answers import log_answers
from stemma.view.facts import NOTE, Facts
from stemma.view.labelling_facts import labelling_facts
from stemma.view.logged_models import PARENT
from stemma.view.makers import name_maker, show_stages
from stemma.view.origin import really_used
from stemma.view.registry import LOCK, ShownModel
from stemma.view.run_page import SETTINGS
from stemma.view.runs import parent_differences
from stemma.view.store import MlflowStore, in_short, patience, tracking_uri
from stemma.view.version_facts import model_facts

HALT = "stemma.halt"
TRAINING = "workflowType=machine_learning"
"""Makes MLflow 3 show its pages for training, whatever the browser showed before."""
ERROR = "stemma.error"
TAG_LIMIT = 5000
"""Characters of a reason; MLflow takes tags of up to 8000."""
TRIES = 3
SECONDS = 30
"""How long a run that has ended may wait for MLflow: a server that is down costs it 15 s in all."""

P = ParamSpec("P")
T = TypeVar("T")


def _tolerant(
    method: Callable[Concatenate["MlflowView", P], T],
) -> Callable[Concatenate["MlflowView", P], T | None]:
    """Let a method of the view fail without stopping the run."""

    @wraps(method)
    def guarded(self: "MlflowView", *args: P.args, **kwargs: P.kwargs) -> T | None:
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        if self.lost:
            return None
        try:
            with patience(TRIES, SECONDS):
                return method(self, *args, **kwargs)
        except (MlflowException, SQLAlchemyError, OSError) as error:
            self.lost = in_short(error)
            self.warn(f"MLflow at {self.uri} does not answer; the run goes on unseen by it: {self.lost}")
            return None

    return cast("Callable[Concatenate[MlflowView, P], T | None]", guarded)


@dataclass
class MlflowView:
    """One flow run, as MLflow shows it."""

    root: Path
    warn: Callable[[str], None]
    uri: str = ""
    lost: str = ""
    """Why MLflow stopped answering, or empty."""
    parent: str = ""
    children: dict[str, str] = field(default_factory=dict)
    told_before: set[str] = field(default_factory=set)
    """Stages whose child run was closed before the run waited; what they were made from, and made, stands there."""

    def __post_init__(self) -> None:
        self.uri = self.uri or tracking_uri(self.root)

    @_tolerant
    def begin(self, name: str, tags: Mapping[str, str], settings: str = "") -> None:
        """Open the parent run; that of a run which waited is opened again, with its child runs.

        `settings` is the text of params.yaml.
        """
        self._store = MlflowStore(self.root, self.uri)
        self._open(name, tags)
        if settings:
            self._store.client.log_text(self.parent, settings, SETTINGS)

    def _open(self, name: str, tags: Mapping[str, str]) -> None:
        waiting = self._store.runs(f"attributes.run_name = '{name}' and attributes.status = 'SCHEDULED'")
        if not waiting:
            self.parent = self._store.begin_run(name, tags)
            return
        self.parent = waiting[0].info.run_id
        self._store.client.update_run(self.parent, "RUNNING")
        self._store.set_tags(self.parent, {**tags, HALT: ""})
        children = self._store.runs(f"tags.`{PARENT}` = '{self.parent}'")
        self.children = {run.data.tags["stemma.stage"]: run.info.run_id for run in children}
        self.told_before = set(self.children)

    @_tolerant
    def begin_stage(self, stage: str, settings: Mapping[str, Any]) -> None:
        """Open a stage's child run with its settings, as parameters and as a file.

        Where the stage is run again with other settings, the child run of before has failed.
        """
        if stage in self.told_before:
            return
        if stage in self.children:
            self._store.client.set_terminated(self.children[stage], "FAILED")
        tags = {PARENT: self.parent, "stemma.stage": stage}
        self.children[stage] = self._store.begin_run(stage, tags)
        self._store.log_settings(self.children[stage], really_used(dict(settings)))

    @_tolerant
    def log_steps(self, stage: str, events: Sequence[Mapping[str, Any]]) -> None:
        """Log the metrics of several steps.

        Raises ValueError where a metric is not declared in stemma.metric_names.
        """
        require_declared({name for event in events for name in event["metrics"]})
        points = [(name, event["step"], value) for event in events for name, value in event["metrics"].items()]
        self._store.log_points(self.children[stage], points, int(time.time() * 1000))

    @_tolerant
    def end_stage(
        self,
        stage: str,
        entry: LockEntry,
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        log: str = "",
        empty: Collection[str] = (),
    ) -> None:
        """Close a stage's child run with its inputs, its output, its final numbers and its log.

        A stage that was restored is linked to the run that made its bytes. Inputs that are `empty` are not shown.
        """
        if stage in self.told_before:
            return
        run, dvc_id = self.children[stage], artifact_id(entry)
        require_declared(metrics)
        with closing(Index(self.root)) as index, Store(self.root) as store:
            self._store.log_inputs(run, shown_inputs(index, entry, known_emptiness(empty)), store)
            self._store.log_output(run, stage, entry, store)
            labelled, verdicts = labelling_facts(store, stage, dvc_id)
        for name, value in {**metrics, **verdicts}.items():
            self._store.client.log_metric(run, name, value)
        self._store.describe_model(run, stage)
        if tags["stemma.state"] == "cached":
            tags = {**tags, "stemma.made_by_run_id": self._maker(stage, dvc_id)}
        self._store.set_tags(run, {**tags, **labelled, "stemma.dvc_id": dvc_id})
        self._log(run, stage, log)
        if stage.startswith(EVALUATION):
            self._log_answers(run, dvc_id)
        self._store.client.set_terminated(run)

    @_tolerant
    def fail_stage(self, stage: str, reason: str, log: str) -> None:
        """Close a stage's child run as failed, with the reason and what the terminal showed."""
        run = self.children[stage]
        self._store.set_tags(run, {ERROR: reason[:TAG_LIMIT], NOTE: f"**Failed.** {reason}"[:TAG_LIMIT]})
        self._log(run, stage, log)
        self._store.client.set_terminated(run, "FAILED")

    @_tolerant
    def draw(self, stage: str, figures: Mapping[str, Any]) -> None:
        """Log matplotlib figures as pictures on a stage's run."""
        for name, figure in figures.items():
            self._store.client.log_figure(self.children[stage], figure, f"{name}.png")

    @_tolerant
    def tag_all(self, tags: Mapping[str, str]) -> None:
        """Tag the parent run and every child run."""
        for run in (self.parent, *self.children.values()):
            self._store.set_tags(run, tags)

    @_tolerant
    def register(self, model: str, version: Version, defaults: Values) -> None:
        """Show a registered version; the parent run gets all that is on record of the run, which is named as a maker.

        MLflow counts by itself: where it would give another number, the version waits for `stemma reconcile`.
        """
        with lock(self.root / LOCK), closing(Index(self.root)) as index, Store(self.root) as store:
            known, run = Facts(self.root, index, store, defaults), index.run(version.commit)
            self._show_record(known, run)
            name_maker(self._store, known, run)
            facts = model_facts(self.root, index, store, model, defaults)
            if not ShownModel(self._store, facts).show(version.number, self._child):
                self.warn(f"MLflow has no room for {model}/{version.number} yet; `stemma reconcile` makes it")

    @_tolerant
    def end(self, status: str, halt: str = "", log: str = "") -> None:
        """Close the parent run, and any child run still open, as FINISHED, FAILED, KILLED, or SCHEDULED while it waits.

        `halt` says why a run stopped though nothing is wrong with it, `log` is what the terminal showed.
        """
        if halt:
            self._store.set_tags(self.parent, {HALT: halt})
        self._log(self.parent, "run", log)
        for run in self.children.values():
            if self._store.client.get_run(run).info.status == "RUNNING":
                self._store.client.set_terminated(run, status)
        self._store.client.set_terminated(self.parent, status)

    @_tolerant
    def place(self) -> str:
        """Where MLflow's UI has the parent run, as a path."""
        return f"/experiments/{self._store.experiment}/runs/{self.parent}?{TRAINING}"

    @_tolerant
    def close_dead(self, names: Sequence[str]) -> None:
        """Mark runs as killed whose process is gone without a word."""
        for name in names:
            for parent in self._store.runs(f"attributes.run_name = '{name}' and attributes.status = 'RUNNING'"):
                number = parent.info.run_id
                if number == self.parent:
                    continue
                children = self._store.runs(f"tags.`{PARENT}` = '{number}' and attributes.status = 'RUNNING'")
                for run in (*children, parent):
                    self._store.client.set_terminated(run.info.run_id, "KILLED")

    def _show_record(self, facts: Facts, run: Run) -> None:
        """Give the parent run what reconcile would give it, and the child runs their tags."""
        found = self._store.client.get_run(self.parent)
        for difference in parent_differences(self._store, run.name, found, facts, run, {}):
            difference.settle()
        show_stages(self._store, facts, run, self.children)

    def _log(self, run: str, name: str, log: str) -> None:
        if log:
            self._store.client.log_text(run, log, f"{name}.log")

    def _log_answers(self, run: str, evaluation: str) -> None:
        """Show an evaluation's answers on its own run and on the parent run."""
        with Store(self.root) as store:
            answers = answers_in(store, evaluation)
        for shown in (run, self.parent):
            log_answers(self._store, shown, answers)

    def _maker(self, stage: str, dvc_id: str) -> str:
        """The child run that made an artifact's bytes, or empty."""
        found = self._store.runs(
            f"tags.`stemma.stage` = '{stage}' and tags.`stemma.dvc_id` = '{dvc_id}' and tags.`stemma.state` = 'ran'"
        )
        return str(found[0].info.run_id) if found else ""

    def _child(self, version: Version) -> str | None:
        return self.children.get(version.stage)
