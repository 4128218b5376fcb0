"""The file that MLflow runs to load a policy (models from code). It lies beside the MLmodel file and holds no weights.

The weights are the project's: MLflow is started in the project's folder, or STEMMA_PROJECT names that folder.
"""

import os
import sys
from pathlib import Path

from mlflow.models import set_model


def project() -> Path:
    """The project's folder. Raises RuntimeError where there is none."""
    start = Path(os.environ.get("STEMMA_PROJECT") or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / "dvc.yaml").is_file() and (folder / "stemma").is_dir():
            return folder
    raise RuntimeError(
        f"{start} is in no Stemma project, which holds this model's weights. Start MLflow in the project's folder, or "
        "set STEMMA_PROJECT to it"
    )


sys.path.insert(0, str(project()))

from stemma.view.chat_model import ServedChatModel  # noqa: E402 -- it is found in the project's folder

set_model(ServedChatModel(project()))
