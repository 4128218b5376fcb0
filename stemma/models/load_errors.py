"""What the libraries say of a model that they cannot load, as one message with a remedy."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import transformers
from transformers import CONFIG_MAPPING

from stemma.errors import ArtifactError, StemmaError
from stemma.stage.out_of_memory import is_out_of_memory

CONFIG = "config.json"
SENTENCE_PIECE = "tokenizer.model"
REPLACEMENTS = {
    "trust_remote_code": "the model needs Python code from its own repository, and such code is never run.",
    "ignore_mismatched_sizes": "its weights have other sizes than its config.json names.",
}
"""Messages in place of library errors that hold these words, because their advice would be wrong here."""


def check_loadable(folder: Path, name: str) -> None:
    """Look at a model's config.json and tokenizer before it is loaded; `name` is what messages call the model.

    Raises ArtifactError where a file is missing or damaged, the architecture is unknown, the weights are quantised, or
    a package is not installed.
    """
    config = _config(folder / CONFIG, name)
    if config.get("quantization_config"):
        method = config["quantization_config"].get("quant_method", "unknown method")
        raise ArtifactError(
            f"{name} is quantised ({method}), and plain weights are needed: take the repository of the model "
            "before quantisation"
        )
    kind = config.get("model_type")
    if kind not in CONFIG_MAPPING:
        reason = ", and whose own code is never run" if "auto_map" in config else ""
        raise ArtifactError(
            f"{name} is of architecture {kind!r}, which transformers {transformers.__version__} does not have{reason}: "
            "take a model of another architecture"
        )
    _check_tokenizer(folder, name)


def _config(path: Path, name: str) -> dict[str, Any]:
    if not path.is_file():
        raise ArtifactError(f"{name} has no {CONFIG}, so it is not a model that transformers can load")
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ArtifactError(f"{name}: {CONFIG} is not JSON ({error}); fetch the model again") from None
    return config


def _check_tokenizer(folder: Path, name: str) -> None:
    if not any((folder / file).is_file() for file in ("tokenizer.json", SENTENCE_PIECE, "vocab.json", "vocab.txt")):
        raise ArtifactError(f"{name} has no tokenizer; take a repository or revision that has tokenizer.json")
    needs_package = not (folder / "tokenizer.json").is_file() and (folder / SENTENCE_PIECE).is_file()
    if needs_package and find_spec("sentencepiece") is None:
        raise ArtifactError(
            f"{name} has no tokenizer.json but {SENTENCE_PIECE}, which needs the Python package sentencepiece: install "
            "it with `pip install sentencepiece`, or take a revision that has tokenizer.json"
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
        if isinstance(error, StemmaError) or is_out_of_memory(error):  # told elsewhere, for all stages
            raise
        reason = next((text for mark, text in REPLACEMENTS.items() if mark in str(error)), _first_line(error))
        raise ArtifactError(
            f"{name} is not a causal language model that transformers {transformers.__version__} can load: {reason} "
            "Take another model."
        ) from error


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[0] if lines[0].endswith((".", "!", "?")) else f"{lines[0]}."
