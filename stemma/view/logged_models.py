"""Models in MLflow (LoggedModel): one for each artifact that is a model, found by its DVC id."""

from hashlib import sha256
from pathlib import Path
from typing import Any

from stemma.errors import StemmaError
from stemma.lineage.store import Store
from stemma.stage.manifest import MANIFEST
from stemma.view.model_file import POLICIES, model_folder

PARENT = "mlflow.parentRunId"
EVALUATION = "eval_"
"""What the name of a stage begins with that evaluates a policy."""


class LoggedModels:
    """The models of an experiment."""

    def __init__(self, root: Path, client: Any, experiment: str) -> None:
        self._root = root
        self._client = client
        self._experiment = experiment

    def of(self, stage: str, dvc_id: str, source_run: str | None) -> str:
        """The id of the model that stands for these bytes, made where there is none yet.

        A policy gets the file that lets MLflow load it. MLflow holds no weights.
        """
        found = self._client.search_logged_models(
            [self._experiment], f"tags.`stemma.dvc_id` = '{dvc_id}' and name = '{stage}'", max_results=1
        )
        if found:
            return str(found[0].model_id)
        manifest = manifest_sha256(self._root, dvc_id)
        made = self._client.create_logged_model(
            self._experiment,
            name=stage,
            source_run_id=source_run,
            tags={"stemma.dvc_id": dvc_id, "stemma.stage": stage, "stemma.manifest_sha256": manifest},
            model_type=stage,
        )
        if stage in POLICIES:
            with model_folder(made.model_id, stage, dvc_id, manifest) as folder:
                self._client.log_model_artifacts(made.model_id, str(folder))
        self._client.finalize_logged_model(made.model_id, "READY")
        return str(made.model_id)

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
