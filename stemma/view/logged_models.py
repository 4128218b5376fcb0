"""Models in MLflow (LoggedModel): one for each artifact that is a model, found by its DVC id."""

from hashlib import sha256
from pathlib import Path
from typing import Any

from stemma.errors import StemmaError
from stemma.lineage.policy_files import POLICIES
from stemma.lineage.runs import EVALUATION
from stemma.lineage.store import Store
from stemma.stage.locks import lock
from stemma.stage.manifest import MANIFEST
from stemma.view.model_file import model_folder

PARENT = "mlflow.parentRunId"
DVC_ID_TAG = "stemma.dvc_id"
MANIFEST_TAG = "stemma.manifest_sha256"
READY = "READY"
LOCK = Path(".stemma") / "mlflow-models.lock"
"""Held while a model is looked up and made, so that two runs of this clone make one."""


class LoggedModels:
    """The models of an experiment."""

    def __init__(self, root: Path, client: Any, experiment: str) -> None:
        self._root = root
        self._client = client
        self._experiment = experiment

    def of(self, stage: str, dvc_id: str, source_run: str | None) -> str:
        """The id of the model that stands for these bytes, made if there is none yet, finished if it is half made.

        A policy gets the file that lets MLflow load it. MLflow holds no weights.
        """
        with lock(self._root / LOCK):
            stored = self._client.search_logged_models(
                [self._experiment],
                f"tags.`{DVC_ID_TAG}` = '{dvc_id}' and name = '{stage}'",
                max_results=1,
                order_by=[{"field_name": "creation_timestamp", "ascending": True}],
            )
            model = stored[0] if stored else self._create(stage, dvc_id, source_run)
            if str(model.status) != READY:
                self.finish(model, manifest_sha256(self._root, dvc_id))
        return str(model.model_id)

    def finish(self, model: Any, manifest: str) -> None:
        """Write what MLflow loads a policy by, and mark a model that is being made, or that a kill left, as ready.

        `manifest` is the sha256 of the artifact's manifest; if it is empty, a tag that is there stays.
        """
        manifest = manifest or model.tags.get(MANIFEST_TAG, "")
        if model.name in POLICIES:
            with model_folder(model.model_id, model.name, model.tags[DVC_ID_TAG], manifest) as folder:
                self._client.log_model_artifacts(model.model_id, str(folder))
        self._client.set_logged_model_tags(model.model_id, {MANIFEST_TAG: manifest})
        if str(model.status) != READY:
            self._client.finalize_logged_model(model.model_id, READY)

    def half_made(self, model_id: str) -> Any | None:
        """A model that is not ready and that no run of this clone is making now; waits for a run that is."""
        with lock(self._root / LOCK):
            model = self._client.get_logged_model(model_id)
        return None if str(model.status) == READY else model

    def _create(self, stage: str, dvc_id: str, source_run: str | None) -> Any:
        return self._client.create_logged_model(
            self._experiment,
            name=stage,
            source_run_id=source_run,
            tags={DVC_ID_TAG: dvc_id, "stemma.stage": stage},
            model_type=stage,
        )

    def describe(self, run: str, stage: str) -> None:
        """Show a stage's numbers on its model's page: the model that it made, or else the policy that it evaluated.

        The parent run has the same numbers and is left out, so that each is shown as its stage's.
        """
        shown = self._client.get_run(run)
        if PARENT not in shown.data.tags:
            return
        outputs = shown.outputs.model_outputs if shown.outputs else []
        inputs = shown.inputs.model_inputs if shown.inputs else []
        linked = outputs or [item for item in inputs if stage.startswith(EVALUATION)]
        models = [self._client.get_logged_model(item.model_id) for item in linked]
        for model in models:
            if model.name == stage.removeprefix(EVALUATION):
                self._log(model, shown)

    def _log(self, model: Any, run: Any) -> None:
        """Log what the model's page lacks of a run's settings, and its numbers, with the data that they are of."""
        from mlflow.entities import Metric

        if model.source_run_id in (None, run.info.run_id):
            missing = {key: value for key, value in run.data.params.items() if key not in model.params}
            if missing:
                self._client.log_model_params(model.model_id, missing)
        there = {(metric.key, metric.value) for metric in model.metrics or []}
        data = next((item.dataset for item in run.inputs.dataset_inputs if item.dataset.name == "data"), None)
        named = {"dataset_name": data.name, "dataset_digest": data.digest} if data else {}
        metrics = [
            Metric(key, last.value, last.timestamp, last.step, model_id=model.model_id, run_id=run.info.run_id, **named)
            for key, value in run.data.metrics.items()
            if (key, value) not in there and not key.startswith("system/")
            for last in [self._last(run, key)]
        ]
        if metrics:
            self._client.log_batch(run.info.run_id, metrics=metrics)

    def _last(self, run: Any, key: str) -> Any:
        """The last point of a metric: logged again as it is, it is shown on the model's page and is no point more."""
        points = self._client.get_metric_history(run.info.run_id, key)
        return max(points, key=lambda point: (point.step, point.timestamp))


def manifest_sha256(root: Path, dvc_id: str) -> str:
    """The sha256 of an artifact's manifest; empty where its bytes are nowhere here."""
    try:
        with Store(root) as store:
            content = store.read(dvc_id, MANIFEST)
    except StemmaError:
        return ""
    return sha256(content).hexdigest() if content else ""
