"""Whether transformers loads a model's folder by path, found out without reading its numbers."""

from pathlib import Path
from typing import Any

from stemma.errors import ArtifactError


def check_loadable(folder: Path, scorer: bool = False) -> None:
    """Build the model that a folder's configuration names, on torch's `meta` device, and compare it with the files.

    Everything is as in a real load but the numbers, which the hashes vouch for: each tensor that the architecture has
    must be in the files with the same shape, and no other; the tokenizer is really loaded. `scorer` asks for a model
    with a head of one score. Raises ArtifactError where plain transformers would not load the folder, or would make up
    weights.
    """
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

    kind: Any = AutoModelForSequenceClassification if scorer else AutoModelForCausalLM
    try:
        _, found = kind.from_pretrained(
            folder,
            device_map="meta",
            dtype="auto",
            output_loading_info=True,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
        )
        AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        raise ArtifactError(_unloadable(folder, str(error).partition("\n")[0])) from error
    differing = {
        reason: sorted(map(str, found[f"{reason}_keys"])) for reason in ("missing", "unexpected", "mismatched")
    }
    told = [f"{len(names)} tensors {reason}, as {names[0]}" for reason, names in differing.items() if names]
    if told:
        raise ArtifactError(_unloadable(folder, "; ".join(told)))


def _unloadable(folder: Path, reason: str) -> str:
    return (
        f"transformers cannot load the model in {folder}: {reason}. Neither a promotion nor an export takes such a "
        "model; rebuild the stage that made it"
    )
