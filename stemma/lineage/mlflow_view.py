"""The view of a run in MLflow: a parent run, one child run a stage, datasets and models in and out.

Everything here can be lost and made again from Git and DVC, so a store that does not answer never stops a run: the
first failure is told once, and the rest of the run goes unseen.
"""

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from stemma.lineage.dvc import LockEntry
from stemma.lineage.explain import flat
from stemma.lineage.locks import lock
from stemma.lineage.registry import Version
from stemma.lineage.runs import artifact_id
from stemma.metric_names import require_declared

EXPERIMENT = "stemma"
MODEL_STAGES = ("base", "sft", "reward", "ppo", "dpo")
"""Stages whose artifact is a model; the others make datasets."""

P = ParamSpec("P")
T = TypeVar("T")


def tracking_uri(root: Path) -> str:
    """Where MLflow keeps its records: MLFLOW_TRACKING_URI, or an sqlite file in the project."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root / 'mlflow.db'}"


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
            return method(self, *args, **kwargs)
        except (MlflowException, SQLAlchemyError, OSError) as error:
            self.lost = str(error).splitlines()[0]
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

    def __post_init__(self) -> None:
        self.uri = self.uri or tracking_uri(self.root)

    @_tolerant
    def begin(self, name: str, tags: Mapping[str, str]) -> None:
        """Open the parent run."""
        import mlflow

        logging.getLogger("mlflow").setLevel(logging.ERROR)
        logging.getLogger("alembic").setLevel(logging.ERROR)
        mlflow.set_tracking_uri(self.uri)
        with lock(self.root / ".stemma" / "mlflow.lock"):
            self._client = mlflow.MlflowClient(self.uri)
            self._experiment = self._experiment_id()
        self.parent = self._client.create_run(self._experiment, tags=dict(tags), run_name=name).info.run_id

    @_tolerant
    def begin_stage(self, stage: str, settings: Mapping[str, Any]) -> None:
        """Open a stage's child run with its settings, as parameters and as a file."""
        from mlflow.entities import Param

        tags = {"mlflow.parentRunId": self.parent, "stemma.stage": stage}
        run = self._client.create_run(self._experiment, tags=tags, run_name=stage).info.run_id
        self.children[stage] = run
        params = [Param(key, str(value)) for key, value in flat(settings).items()]
        self._client.log_batch(run, params=params)
        self._client.log_dict(run, dict(settings), "settings.yaml")

    @_tolerant
    def log_steps(self, stage: str, events: Sequence[Mapping[str, Any]]) -> None:
        """Log the metrics of several steps.

        Raises ValueError where a metric is not declared in stemma.metric_names.
        """
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        require_declared({name for event in events for name in event["metrics"]})
        metrics = [
            Metric(name, value, now, event["step"]) for event in events for name, value in event["metrics"].items()
        ]
        for start in range(0, len(metrics), 1000):
            self._client.log_batch(self.children[stage], metrics=metrics[start : start + 1000])

    @_tolerant
    def end_stage(
        self, stage: str, entry: LockEntry, metrics: Mapping[str, float], tags: Mapping[str, str], logs: Sequence[Path]
    ) -> None:
        """Close a stage's child run with its inputs, its output, its final numbers and its logs.

        A stage that was restored is linked to the run that made its bytes.
        """
        run = self.children[stage]
        require_declared(metrics)
        for name, value in metrics.items():
            self._client.log_metric(run, name, value)
        self._log_inputs(run, entry)
        self._log_output(run, stage, artifact_id(entry))
        if tags["stemma.state"] == "cached":
            tags = {**tags, "stemma.made_by_run_id": self._maker(stage, artifact_id(entry))}
        self._set_tags(run, {**tags, "stemma.dvc_id": artifact_id(entry)})
        for log in logs:
            if log.exists():
                self._client.log_artifact(run, str(log))
        self._client.set_terminated(run)

    @_tolerant
    def draw(self, stage: str, figures: Mapping[str, Any]) -> None:
        """Log matplotlib figures as pictures on a stage's run."""
        for name, figure in figures.items():
            self._client.log_figure(self.children[stage], figure, f"{name}.png")

    @_tolerant
    def tag_all(self, tags: Mapping[str, str]) -> None:
        """Tag the parent run and every child run."""
        for run in (self.parent, *self.children.values()):
            self._set_tags(run, tags)

    @_tolerant
    def register(self, model: str, version: Version, tags: Mapping[str, str], description: str) -> None:
        """Show a version of a registered model; MLflow counts by itself, and `stemma reconcile` mends its count."""
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(model, description="Policies aligned by Stemma.")
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        source = self.children[version.stage]
        logged = self._logged_model(version.stage, version.artifact, source)
        shown = self._client.create_model_version(
            model,
            source=f"models:/{logged}",
            run_id=source,
            tags={**tags, "stemma.version": str(version.number)},
            description=description,
            model_id=logged,
        )
        if str(shown.version) != str(version.number):
            self.warn(f"MLflow calls {model}/{version.number} version {shown.version}; `stemma reconcile` mends that")

    @_tolerant
    def end(self, status: str, metrics: Mapping[str, float]) -> None:
        """Close the parent run, and any child run still open, as FINISHED, FAILED or KILLED."""
        for name, value in metrics.items():
            self._client.log_metric(self.parent, name, value)
        for run in self.children.values():
            if self._client.get_run(run).info.status == "RUNNING":
                self._client.set_terminated(run, status)
        self._client.set_terminated(self.parent, status)

    @_tolerant
    def close_dead(self, names: Sequence[str]) -> None:
        """Mark runs as killed whose process is gone without a word."""
        for name in names:
            parents = self._client.search_runs(
                [self._experiment], f"attributes.run_name = '{name}' and attributes.status = 'RUNNING'"
            )
            for parent in parents:
                if parent.info.run_id == self.parent:
                    continue
                children = self._client.search_runs(
                    [self._experiment],
                    f"tags.`mlflow.parentRunId` = '{parent.info.run_id}' and attributes.status = 'RUNNING'",
                )
                for run in (*children, parent):
                    self._client.set_terminated(run.info.run_id, "KILLED")

    def _maker(self, stage: str, dvc_id: str) -> str:
        """The child run that made an artifact's bytes, or empty."""
        found = self._client.search_runs(
            [self._experiment],
            f"tags.`stemma.stage` = '{stage}' and tags.`stemma.dvc_id` = '{dvc_id}' and tags.`stemma.state` = 'ran'",
            max_results=1,
            order_by=["attributes.start_time ASC"],
        )
        return str(found[0].info.run_id) if found else ""

    def _experiment_id(self) -> str:
        found = self._client.get_experiment_by_name(EXPERIMENT)
        if found is not None:
            return str(found.experiment_id)
        local = self.uri.startswith("sqlite:")
        place = (self.root / "mlartifacts").as_uri() if local else None
        return str(self._client.create_experiment(EXPERIMENT, artifact_location=place))

    def _set_tags(self, run: str, tags: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag

        self._client.log_batch(run, tags=[RunTag(key, value) for key, value in tags.items()])

    def _log_inputs(self, run: str, entry: LockEntry) -> None:
        from mlflow.entities import LoggedModelInput

        deps = {dep["path"]: dep["md5"] for dep in entry.get("deps", []) if not dep["path"].endswith((".py", ".txt"))}
        models = {path.removeprefix("artifacts/"): md5 for path, md5 in deps.items()}
        known = [self._logged_model(name, md5, None) for name, md5 in models.items() if name in MODEL_STAGES]
        self._client.log_inputs(
            run,
            datasets=[_dataset(path.removeprefix("artifacts/"), md5, "input") for path, md5 in deps.items()],
            models=[LoggedModelInput(model) for model in known if model],
        )

    def _log_output(self, run: str, stage: str, dvc_id: str) -> None:
        from mlflow.entities import LoggedModelOutput

        if stage in MODEL_STAGES:
            self._client.log_outputs(run, [LoggedModelOutput(self._logged_model(stage, dvc_id, run), 0)])
        else:
            self._client.log_inputs(run, datasets=[_dataset(stage, dvc_id, "output")])

    def _logged_model(self, stage: str, dvc_id: str, source_run: str | None) -> str:
        """The external model that stands for these bytes, made where there is none yet."""
        import mlflow

        found = self._client.search_logged_models(
            [self._experiment], f"tags.`stemma.dvc_id` = '{dvc_id}' and name = '{stage}'", max_results=1
        )
        if found:
            return str(found[0].model_id)
        model = mlflow.create_external_model(
            name=stage,
            source_run_id=source_run,
            tags={"stemma.dvc_id": dvc_id, "stemma.stage": stage},
            model_type=stage,
            experiment_id=self._experiment,
        )
        return str(model.model_id)


def _dataset(name: str, digest: str, context: str) -> Any:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(name=name, digest=digest, source_type="dvc", source=f'{{"dvc_id": "{digest}"}}')
    return DatasetInput(dataset, [InputTag("mlflow.data.context", context)])
