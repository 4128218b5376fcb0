"""MLflow's store as Stemma uses it: one experiment, whose runs, datasets and models name their bytes by DVC id."""

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stemma.config import Values
from stemma.errors import ServiceError
from stemma.lineage.dvc import LockEntry
from stemma.lineage.explain import flat
from stemma.lineage.index import is_data
from stemma.lineage.placeholders import asked_nobody, used_params
from stemma.lineage.runs import MODEL_STAGES
from stemma.lineage.store import Store
from stemma.stage.locks import lock
from stemma.view.logged_models import PARENT, LoggedModels
from stemma.view.profiles import profile

EXPERIMENT = "stemma"
KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Makes MLflow open the experiment as one that trains models, with its table of runs, and ask nothing."""
CONTEXT = "mlflow.data.context"
INPUT = "input"
OUTPUT = "output"
ADDRESS = "MLFLOW_TRACKING_URI"
LONGEST_SETTING = 6000
"""Characters of a parameter's value; MLflow cuts a longer one without a word."""
LONGEST_TAG = 8000
"""Characters of a run's tag; MLflow cuts a longer one without a word."""
METRICS_AT_ONCE = 1000
PARAMS_AT_ONCE = 100
RUNS_AT_ONCE = 1000

Point = tuple[str, int, float]
"""A metric's name, the step, and the number."""


def tracking_uri(root: Path) -> str:
    """Where MLflow keeps its records: MLFLOW_TRACKING_URI, or an sqlite file in the project."""
    return os.environ.get(ADDRESS) or f"sqlite:///{root / 'mlflow.db'}"


@contextmanager
def answering(uri: str) -> Iterator[None]:
    """What MLflow may raise becomes one ServiceError."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise ServiceError(
            f"MLflow at {uri} does not answer ({in_short(error)}). Start its server, or set MLFLOW_TRACKING_URI to "
            "where it is; a damaged database can be moved away, `stemma reconcile` makes all of it again"
        ) from error


def in_short(error: Exception) -> str:
    """What an error of MLflow says, without the many words of the libraries below it."""
    return str(error).partition("\n")[0].partition(" with exception ")[0]


@contextmanager
def patience(tries: int, seconds: int) -> Iterator[None]:
    """How often to ask a server that does not answer, and how long to wait each time, unless a person said otherwise.

    Left to itself MLflow tries for four minutes.
    """
    wanted = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": str(tries), "MLFLOW_HTTP_REQUEST_TIMEOUT": str(seconds)}
    ours = {key: value for key, value in wanted.items() if key not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for key in ours:
            os.environ.pop(key, None)


class MlflowStore:
    """The store of a project, with its experiment, which is made where there is none."""

    def __init__(self, root: Path, uri: str = "") -> None:
        import mlflow

        logging.getLogger("mlflow").setLevel(logging.ERROR)
        logging.getLogger("alembic").setLevel(logging.ERROR)
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        self.uri = uri or tracking_uri(root)
        self._root = root
        _make_known(self.uri)
        with lock(root / ".stemma" / "mlflow.lock"):
            self.client = mlflow.MlflowClient(self.uri)
            self.experiment = self._experiment_id()
        self._models = LoggedModels(root, self.client, self.experiment)

    def begin_run(self, name: str, tags: Mapping[str, str], at: datetime | None = None) -> str:
        """Open a run, now or at a time that is past; returns its id."""
        began = int(at.timestamp() * 1000) if at else None
        run = self.client.create_run(self.experiment, start_time=began, tags=dict(tags), run_name=name)
        return str(run.info.run_id)

    def runs(self, condition: str = "") -> list[Any]:
        """The runs that meet a condition, the first begun first; all without one."""
        order = ["attributes.start_time ASC"]
        return paged(
            lambda token: self.client.search_runs(
                [self.experiment], condition, max_results=RUNS_AT_ONCE, order_by=order, page_token=token
            )
        )

    def log_settings(self, run: str, settings: Values) -> None:
        """Log settings as parameters, and as a file that no limit cuts."""
        self.log_params(run, flat(settings))
        self.client.log_dict(run, settings, "settings.yaml")

    def log_params(self, run: str, params: Mapping[str, Any]) -> None:
        """Log parameters."""
        from mlflow.entities import Param

        found = [Param(key, shown_setting(value)) for key, value in params.items()]
        for start in range(0, len(found), PARAMS_AT_ONCE):
            self.client.log_batch(run, params=found[start : start + PARAMS_AT_ONCE])

    def parent_of(self, run: str) -> str:
        """The id of a child run's parent run; the run's own where it has none, or is gone."""
        from mlflow.exceptions import MlflowException

        try:
            return str(self.client.get_run(run).data.tags.get(PARENT, run)) if run else ""
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return run

    def read_text(self, run: str, name: str) -> str | None:
        """A file of a run as text; None where there is none."""
        folder, _, _ = name.rpartition("/")
        if all(file.path != name for file in self.client.list_artifacts(run, folder or None)):
            return None
        with TemporaryDirectory() as place:
            return Path(self.client.download_artifacts(run, name, place)).read_text("utf-8")

    def log_points(self, run: str, points: Sequence[Point], milliseconds: int) -> None:
        """Log numbers by step, all as of one time since 1970."""
        from mlflow.entities import Metric

        metrics = [Metric(name, value, milliseconds, step) for name, step, value in points]
        for start in range(0, len(metrics), METRICS_AT_ONCE):
            self.client.log_batch(run, metrics=metrics[start : start + METRICS_AT_ONCE])

    def set_tags(self, run: str, tags: Mapping[str, str]) -> None:
        """Set several tags of a run."""
        from mlflow.entities import RunTag

        self.client.log_batch(run, tags=[RunTag(key, value) for key, value in tags.items()])

    def log_inputs(self, run: str, entry: LockEntry, store: Store) -> None:
        """Name what a stage was made from: data as datasets, models as models."""
        from mlflow.entities import LoggedModelInput

        items = {dep["path"].removeprefix("artifacts/"): dep for dep in entry.get("deps", []) if is_data(dep["path"])}
        known = [self.logged_model(name, dep["md5"], None) for name, dep in items.items() if name in MODEL_STAGES]
        data = [_dataset(store, name, dep, INPUT) for name, dep in items.items() if name not in MODEL_STAGES]
        self.client.log_inputs(run, datasets=data, models=[LoggedModelInput(model) for model in known])

    def log_output(self, run: str, stage: str, entry: LockEntry, store: Store) -> None:
        """Name what a stage made: a model, or else a dataset; `entry` is the stage's.

        The run's numbers go on the model's page too.
        """
        from mlflow.entities import LoggedModelOutput

        (made,) = [out for out in entry["outs"] if out["path"] == f"artifacts/{stage}"]
        if stage in MODEL_STAGES:
            self.client.log_outputs(run, [LoggedModelOutput(self.logged_model(stage, made["md5"], run), 0)])
        elif not asked_nobody(stage, used_params(entry)):
            self.client.log_inputs(run, datasets=[_dataset(store, stage, made, OUTPUT)])
        self.describe_model(run, stage)

    def describe_model(self, run: str, stage: str) -> None:
        """Show a stage's settings and numbers on the page of the model that it made or evaluated."""
        self._models.describe(run, stage)

    def logged_model(self, stage: str, dvc_id: str, source_run: str | None) -> str:
        """The id of the model that stands for these bytes, made where there is none yet."""
        return self._models.of(stage, dvc_id, source_run)

    def finish_model(self, model: Any, manifest: str) -> None:
        """Write what MLflow loads a model by, and mark it as ready; `manifest` is the sha256 of its manifest."""
        self._models.finish(model, manifest)

    def half_made_model(self, model_id: str) -> Any | None:
        """A model that is not ready and that no run of this clone is making now."""
        return self._models.half_made(model_id)

    def logged_models(self) -> dict[str, tuple[str, str]]:
        """Stage and DVC id of every model, by the model's id."""
        found = paged(lambda token: self.client.search_logged_models([self.experiment], page_token=token))
        return {model.model_id: (model.name, model.tags.get("stemma.dvc_id", "")) for model in found}

    def _experiment_id(self) -> str:
        found = self.client.get_experiment_by_name(EXPERIMENT)
        if found is None:
            place = (self._root / "mlartifacts").as_uri() if self.uri.startswith("sqlite:") else None
            return str(self.client.create_experiment(EXPERIMENT, artifact_location=place, tags=KIND))
        if found.lifecycle_stage == "deleted":
            self.client.restore_experiment(found.experiment_id)
        for key in set(KIND) - set(found.tags):
            self.client.set_experiment_tag(found.experiment_id, key, KIND[key])
        return str(found.experiment_id)


def paged(fetch: Callable[[str | None], Any]) -> list[Any]:
    """All pages of a list; `fetch` gets a page by its token."""
    found: list[Any] = []
    token: str | None = None
    while True:
        page = fetch(token)
        found += page
        token = page.token
        if not token:
            return found


def shown_setting(value: object) -> str:
    """A setting's value as MLflow shows it; the file settings.yaml has all of a long one."""
    return str(value)[:LONGEST_SETTING]


def inputs_of(entry: LockEntry) -> dict[str, str]:
    """DVC ids of the artifacts and raw inputs that a stage was made from, by the names they have in MLflow."""
    deps = {dep["path"]: dep["md5"] for dep in entry.get("deps", []) if is_data(dep["path"])}
    return {path.removeprefix("artifacts/"): md5 for path, md5 in deps.items()}


def _make_known(uri: str) -> None:
    """Tell MLflow where its store is, for what it does without a client.

    It would tell the environment too, and the next project of this process would take that for a person's wish.
    """
    import mlflow

    said = os.environ.get(ADDRESS)
    mlflow.set_tracking_uri(uri)
    if said is None:
        os.environ.pop(ADDRESS, None)
    else:
        os.environ[ADDRESS] = said


def _dataset(store: Store, name: str, item: Mapping[str, Any], context: str) -> Any:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    digest = item["md5"]
    source = json.dumps({"dvc_id": digest})
    dataset = Dataset(name, digest, source_type="dvc", source=source, profile=profile(store, name, dict(item)))
    return DatasetInput(dataset, [InputTag(CONTEXT, context)])
