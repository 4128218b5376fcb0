"""Scalar models: a policy's trunk with a head `score`, one number a position. Reward and value models are such.

The head stays in 32 bits over a 16-bit trunk and under autocast: 8 bits of a score would not tell close answers apart.
"""

import copy
import inspect
import json
from pathlib import Path
from typing import Any, cast

import torch
from peft import PeftModel
from safetensors import safe_open
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerBase

from stemma.config import LoraConfig, MachineConfig, Tuning
from stemma.errors import ArtifactError
from stemma.models.adapters import base_of, merged, with_adapters
from stemma.models.policy import MODEL_CONFIG, for_use, frozen_dtype, load_weights, place, save_policy
from stemma.models.positions import position_ids

HEAD = "score."
"""What the names of the head's weights begin with."""


class ScalarHead(nn.Linear):
    """One number from each hidden state: weights and arithmetic in 32 bits, under autocast too."""

    def __init__(self, width: int, bias: bool) -> None:
        super().__init__(width, 1, bias=bias, dtype=torch.float32)

    def forward(self, hidden: Tensor) -> Tensor:
        """Shapes: (b, t, width) in any precision → (b, t, 1) in 32 bits."""
        with torch.autocast(hidden.device.type, enabled=False):
            return super().forward(hidden.float())


def load_scalar_model(folder: Path, machine: MachineConfig) -> PreTrainedModel:
    """Load a scalar model for use, adapters merged into their base.

    Raises ArtifactError where the folder holds no scalar model, or adapters whose base is not the one recorded.
    """
    dtype = frozen_dtype(machine)
    base = base_of(folder)
    model = merged(_with_head(load_weights(base, dtype)), folder) if base else _load_whole(folder, dtype)
    return for_use(place(model, machine))


def trainable_scalar_model(
    folder: Path, machine: MachineConfig, tuning: Tuning, lora: LoraConfig
) -> PreTrainedModel | PeftModel:
    """Put a scalar head of zeros on a policy's trunk, ready for training.

    A head of zeros scores everything alike, so the first step depends on the data alone and not on a random direction.
    """
    if tuning == "full":
        return place(_with_head(load_weights(folder, torch.float32)), machine)
    return with_adapters(place(_with_head(load_weights(folder, frozen_dtype(machine))), machine), lora, "SEQ_CLS")


def scalar_model_to_go_on(folder: Path, machine: MachineConfig) -> PreTrainedModel:
    """Load a scalar model to train it further, whole and in 32 bits."""
    return load_scalar_model(folder, machine.model_copy(update={"precision": "fp32"})).requires_grad_(True)


def save_scalar_model(
    model: PreTrainedModel | PeftModel, tokenizer: PreTrainedTokenizerBase, folder: Path, base: Path | None = None
) -> None:
    """Save a scalar model with its tokenizer; under adapters, only those and the head, over the policy `base`."""
    save_policy(model, tokenizer, folder, base)


def token_values(model: PreTrainedModel | PeftModel, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """The scalar head's value at every position; those under the padding mean nothing.

    Positions are counted from each row's first unmasked token, so padding on the left changes nothing.
    Shapes: input_ids and attention_mask (b, t) → (b, t), in 32 bits.
    """
    whole: Any = model.get_base_model() if isinstance(model, PeftModel) else model
    trunk = getattr(whole, whole.base_model_prefix)
    places = {"position_ids": position_ids(attention_mask)} if _takes_positions(trunk) else {}
    hidden = trunk(input_ids=input_ids, attention_mask=attention_mask, use_cache=False, **places).last_hidden_state
    return cast("Tensor", whole.score(hidden).squeeze(-1))


def sequence_scores(model: PreTrainedModel | PeftModel, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """The value at each row's last unmasked token. Shapes: (b, t), (b, t) → (b,)."""
    values = token_values(model, input_ids, attention_mask)
    order = torch.arange(attention_mask.shape[1], device=attention_mask.device)
    last = (attention_mask * order).argmax(dim=1, keepdim=True)
    return values.gather(1, last).squeeze(1)


def _takes_positions(trunk: nn.Module) -> bool:
    return "position_ids" in inspect.signature(trunk.forward).parameters


def _with_head(policy: PreTrainedModel) -> PreTrainedModel:
    config = copy.deepcopy(policy.config)
    config.num_labels = 1
    with torch.device("meta"):  # the trunk is the policy's own, so nothing is allocated or drawn for it
        model: Any = AutoModelForSequenceClassification.from_config(config)  # type: ignore[no-untyped-call]
    trunk: Any = policy.base_model
    setattr(model, model.base_model_prefix, trunk)
    model.score = ScalarHead(model.score.in_features, bias=model.score.bias is not None)
    for parameter in model.score.parameters():
        nn.init.zeros_(parameter)
    return cast("PreTrainedModel", model)


def _load_whole(folder: Path, dtype: torch.dtype) -> PreTrainedModel:
    path = folder / MODEL_CONFIG
    kinds = json.loads(path.read_text(encoding="utf-8")).get("architectures") or [] if path.is_file() else []
    if not any(kind.endswith("ForSequenceClassification") for kind in kinds):
        found = ", ".join(kinds) or f"no {MODEL_CONFIG}"
        raise ArtifactError(f"{folder} holds no scalar model ({found}); name a reward model's folder")
    model: Any = AutoModelForSequenceClassification.from_pretrained(
        folder, dtype=dtype, use_safetensors=True, local_files_only=True
    )
    model.score = ScalarHead(model.score.in_features, bias=model.score.bias is not None)
    model.score.load_state_dict(_stored_head(folder))
    return cast("PreTrainedModel", model)


def _stored_head(folder: Path) -> dict[str, Tensor]:
    """The head's weights as they are stored, which `dtype` would round."""
    head: dict[str, Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as weights:
            names = [name for name in weights.keys() if name.startswith(HEAD)]  # noqa: SIM118 (it is no mapping)
            head |= {name.removeprefix(HEAD): weights.get_tensor(name) for name in names}
    return head
