"""What the libraries say of a model that they cannot load, as one message with a remedy."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import transformers
from transformers import CONFIG_MAPPING

from stemma.errors import ArtifactError, StemmaError

CONFIG = "config.json"
REMOTE_CODE = "trust_remote_code"
"""Names the libraries' own advice, which is never passed on: code that comes with a model is never run."""
OWN_CODE = "the model needs Python code from its own repository, and such code is never run."


def check_loadable(folder: Path, name: str) -> None:
    """Look at a model's config.json before anything of it is loaded; `name` is what messages call the model.

    Raises ArtifactError where there is none, the architecture is unknown, or the weights are quantised.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise ArtifactError(f"{name} has no {CONFIG}, so it is not a model that transformers can load")
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if "quantization_config" in config:
        method = config["quantization_config"].get("quant_method", "unknown method")
        raise ArtifactError(
            f"{name} is quantised ({method}), and plain weights are needed: take the repository of the model "
            "before quantisation"
        )
    kind = config.get("model_type")
    if kind not in CONFIG_MAPPING:
        why = ", and whose own code is never run" if "auto_map" in config else ""
        raise ArtifactError(
            f"{name} is of architecture {kind!r}, which transformers {transformers.__version__} does not have{why}: "
            "take a model of another architecture"
        )


@contextmanager
def translate_load_errors(name: str) -> Iterator[None]:
    """Turn an error of the libraries into an ArtifactError; `name` is what the message calls the model."""
    try:
        yield
    except ImportError as error:
        raise ArtifactError(
            f"{name} needs a Python package that is not installed: {_first_line(error)} Install it, or take another "
            "model."
        ) from error
    except Exception as error:  # the libraries raise errors of every kind for files that are not as they expect
        if isinstance(error, StemmaError | MemoryError) or "memory" in str(error):  # told elsewhere, for all stages
            raise
        why = OWN_CODE if REMOTE_CODE in str(error) else _first_line(error)
        raise ArtifactError(
            f"{name} is not a causal language model that transformers {transformers.__version__} can load: {why} Take "
            "another model."
        ) from error


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[0] if lines[0].endswith((".", "!", "?")) else f"{lines[0]}."
