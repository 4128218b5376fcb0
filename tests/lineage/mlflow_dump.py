"""All that matters in an MLflow store, as plain values: no ids, no times of MLflow's own."""

from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from stemma.view.logged_models import PARENT
from stemma.view.run_page import SETTINGS, TREE
from stemma.view.store import CONTEXT, MlflowStore

LINKS = (PARENT, "stemma.made_by_run_id")
"""Tags that hold another run's id."""


def dump(root: Path) -> dict[str, Any]:
    """Runs with tags, settings, metrics, inputs and outputs; registered models with versions and aliases."""
    store = MlflowStore(root)
    found = [store.client.get_run(run.info.run_id) for run in store.runs()]
    names = {run.info.run_id: run.info.run_name for run in found}
    titles = {
        run.info.run_id: " ".join(filter(None, [names.get(run.data.tags.get(PARENT)), run.info.run_name]))
        for run in found
    }
    models = store.logged_models()
    return {
        "runs": {titles[run.info.run_id]: _run(store.client, run, titles, models) for run in found},
        "models": {m.name: _model(store.client, m, titles, models) for m in store.client.search_registered_models()},
    }


def _run(client: MlflowClient, run: Any, titles: dict[str, str], models: dict[str, Any]) -> dict[str, Any]:
    tags = {key: titles.get(value, value) if key in LINKS else value for key, value in run.data.tags.items()}
    tags.pop("stemma.rebuilt", None)
    number = run.info.run_id
    history = {name: client.get_metric_history(number, name) for name in run.data.metrics}
    return {
        "status": run.info.status,
        "tags": tags,
        "settings": run.data.params,
        "metrics": {name: sorted((p.step, p.value) for p in points) for name, points in history.items()},
        "datasets": sorted(
            (item.dataset.name, item.dataset.digest, item.dataset.source, item.dataset.profile, _context(item))
            for item in run.inputs.dataset_inputs
        ),
        "models in": sorted(models[item.model_id] for item in run.inputs.model_inputs),
        "models out": sorted(models[item.model_id] for item in run.outputs.model_outputs),
        "files": sorted(file.path for file in client.list_artifacts(number) if not file.path.endswith(".log")),
        "texts": {
            name: Path(client.download_artifacts(number, name)).read_text()
            for name in (SETTINGS, TREE)
            if PARENT not in run.data.tags
        },
    }


def _model(client: MlflowClient, model: Any, titles: dict[str, str], models: dict[str, Any]) -> dict[str, Any]:
    shown: list[Any] = list(client.search_model_versions(f"name = '{model.name}'"))
    return {
        "description": model.description,
        "tags": model.tags,
        "aliases": {alias: int(number) for alias, number in model.aliases.items()},
        "versions": {
            int(version.version): {
                "tags": version.tags,
                "description": _named(version.description, titles),
                "run": titles[version.run_id],
                "source": models[version.source.removeprefix("models:/")],
            }
            for version in shown
        },
    }


def _named(text: str, titles: dict[str, str]) -> str:
    """A text with the runs' titles for their ids."""
    for number, title in titles.items():
        text = text.replace(number, title)
    return text


def _context(item: Any) -> str:
    return str(next(tag.value for tag in item.tags if tag.key == CONTEXT))
