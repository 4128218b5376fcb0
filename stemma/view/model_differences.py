"""Where the file by which MLflow loads a policy is not what it would be if it were written now."""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from stemma.view.difference import Difference
from stemma.view.logged_models import manifest_sha256
from stemma.view.model_file import POLICIES, model_folder
from stemma.view.store import MlflowStore, paged


def model_differences(root: Path, mlflow: MlflowStore) -> Iterator[Difference]:
    """Policies in MLflow whose files are missing or changed; the right ones are written over them."""
    for model in paged(lambda token: mlflow.client.search_logged_models([mlflow.experiment], page_token=token)):
        dvc_id = model.tags.get("stemma.dvc_id", "")
        if model.name not in POLICIES or not dvc_id:
            continue
        manifest = manifest_sha256(root, dvc_id) or model.tags.get("stemma.manifest_sha256", "")
        with model_folder(model.model_id, model.name, dvc_id, manifest) as folder:
            expected = {path.name: path.read_bytes() for path in folder.iterdir()}
        if any(_read(mlflow, model, name) != content for name, content in expected.items()):
            words = f"model {model.name} {dvc_id}: the files by which MLflow loads it are not what is on record"
            yield Difference(words, partial(_write, mlflow, model, dvc_id, manifest))


def _read(mlflow: MlflowStore, model: Any, name: str) -> bytes | None:
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory() as place:
        try:
            uri = f"{model.artifact_location}/{name}"
            return Path(download_artifacts(uri, dst_path=place, tracking_uri=mlflow.uri)).read_bytes()
        except (MlflowException, OSError):
            return None


def _write(mlflow: MlflowStore, model: Any, dvc_id: str, manifest: str) -> None:
    with model_folder(model.model_id, model.name, dvc_id, manifest) as folder:
        mlflow.client.log_model_artifacts(model.model_id, str(folder))
