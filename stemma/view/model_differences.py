"""Where a model in MLflow is half made, or the files by which MLflow loads a policy are not what is on record."""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from stemma.lineage.policy_files import POLICIES
from stemma.view.difference import Difference
from stemma.view.logged_models import DVC_ID_TAG, MANIFEST_TAG, READY, manifest_sha256
from stemma.view.model_file import model_folder
from stemma.view.store import MlflowStore, paged


def model_differences(root: Path, mlflow: MlflowStore) -> Iterator[Difference]:
    """Models in MLflow that are half made, and policies whose files or manifest are missing or changed.

    The right ones are written over them. A model whose manifest is not known here is left as it is.
    """
    for model in paged(lambda token: mlflow.client.search_logged_models([mlflow.experiment], page_token=token)):
        dvc_id, recorded = model.tags.get(DVC_ID_TAG, ""), model.tags.get(MANIFEST_TAG, "")
        if not dvc_id:
            continue
        manifest = manifest_sha256(root, dvc_id) or recorded
        where = f"model {model.name} {dvc_id}"
        if model.name in POLICIES and not manifest:
            continue
        if str(model.status) != READY:
            if unfinished := mlflow.half_made_model(model.model_id):
                words = f"{where}: it is half made ({unfinished.status})"
                yield Difference(words, partial(mlflow.finish_model, unfinished, manifest))
        elif model.name in POLICIES and (manifest != recorded or _differs(mlflow, model, manifest)):
            words = f"{where}: the files by which MLflow loads it are not what is on record"
            yield Difference(words, partial(mlflow.finish_model, model, manifest))


def _differs(mlflow: MlflowStore, model: Any, manifest: str) -> bool:
    with model_folder(model.model_id, model.name, model.tags[DVC_ID_TAG], manifest) as folder:
        return any(_read(mlflow, model, path.name) != path.read_bytes() for path in folder.iterdir())


def _read(mlflow: MlflowStore, model: Any, name: str) -> bytes | None:
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory() as place:
        try:
            uri = f"{model.artifact_location}/{name}"
            return Path(download_artifacts(uri, dst_path=place, tracking_uri=mlflow.uri)).read_bytes()
        except (MlflowException, OSError):
            return None
