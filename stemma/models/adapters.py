"""Low-rank adapters (Hu et al. 2021) as artifacts: the adapters' weights, and the one base they belong to."""

import json
import os
import warnings
from pathlib import Path
from typing import Literal

from peft import LoraConfig as PeftLoraConfig
from peft import PeftModel, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import PreTrainedModel

from stemma.config import LoraConfig
from stemma.errors import ArtifactError
from stemma.models.adapter_files import BASE, CONFIG, WEIGHTS, read_base
from stemma.stage.manifest import MANIFEST, file_sha256

# peft 0.21 asks transformers 5.23 for an attribute under its old name, whenever adapters are put on a model
warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)

Task = Literal["CAUSAL_LM", "SEQ_CLS"]


def peft_config(lora: LoraConfig, task: Task) -> PeftLoraConfig:
    """Adapters on every linear layer of the trunk; a reward model's score head is trained whole beside them."""
    return PeftLoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=0.0,
        target_modules="all-linear",
        modules_to_save=["score"] if task == "SEQ_CLS" else None,
        task_type=task,
    )


def with_adapters(model: PreTrainedModel, lora: LoraConfig, task: Task) -> PeftModel:
    """Wrap the model so that only new adapters are trained; they are 32-bit also over a 16-bit base."""
    return get_peft_model(model, peft_config(lora, task))


def save_adapters(model: PeftModel, folder: Path, base: Path) -> None:
    """Write the adapters and the base they need, named by its place beside the folder and its manifest's sha256.

    peft's own writer is not used: it writes a model card, an absolute path, and sets in no fixed order.
    """
    where = Path(os.path.relpath(base, folder)).as_posix()
    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})
    config = model.peft_config["default"].to_dict() | {"base_model_name_or_path": where, "inference_mode": True}
    _write_json(folder / CONFIG, {k: sorted(v) if isinstance(v, set) else v for k, v in config.items()})
    _write_json(folder / BASE, {"base": where, "manifest": file_sha256(base / MANIFEST)})


def base_of(folder: Path) -> Path | None:
    """The folder of the model that these adapters belong to; None where the folder holds a whole model.

    Raises ArtifactError where that model is absent or is not the one the adapters were trained on.
    """
    if not (folder / BASE).is_file():
        return None
    recorded = read_base((folder / BASE).read_text(encoding="utf-8"))
    base = Path(os.path.normpath(folder / recorded.folder))
    if not (base / MANIFEST).is_file():
        raise ArtifactError(
            f"{folder} holds adapters for {base}, which is not there; restore it with `dvc checkout {base}`"
        )
    found = file_sha256(base / MANIFEST)
    if found != recorded.manifest:
        raise ArtifactError(
            f"{folder} holds adapters for another model than {base}: its manifest is {found[:12]}…, they were trained "
            f"on {recorded.manifest[:12]}…. Restore that version of {base}, or rebuild {folder} on this one."
        )
    return base


def merged(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """The model with a folder's adapters added into its weights, which may all be trained as before."""
    whole: PreTrainedModel = PeftModel.from_pretrained(model, folder).merge_and_unload()
    return whole.requires_grad_(True)


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True, default=str) + "\n", encoding="utf-8")
