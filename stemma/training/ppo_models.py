"""Loading the four models of PPO."""

import json
from pathlib import Path

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from stemma.config import LoraConfig, MachineConfig, Tuning
from stemma.errors import ArtifactError
from stemma.models.adapters import with_adapters
from stemma.models.policy import for_use, load_weights, place, trainable_policy
from stemma.models.scalar import load_scalar_model, scalar_model_to_go_on
from stemma.models.tokenizer import check_same_tokens
from stemma.sampling.rollouts import PpoModels, Scaling

SCALING = "scaling.json"


def load_ppo_models(sft: Path, reward: Path, machine: MachineConfig, tuning: Tuning, lora: LoraConfig) -> PpoModels:
    """Load the policy and its reference from the SFT artifact, the reward model and the value model from the reward's.

    Raises ArtifactError where the two artifacts do not read text alike.
    """
    check_same_tokens(sft, reward)
    return PpoModels(
        policy=trainable_policy(sft, machine, tuning, lora),
        ref_policy=load_reference(sft, machine) if tuning == "full" else None,
        reward_model=load_scalar_model(reward, machine),
        value_model=trainable_value_model(reward, machine, tuning, lora),
        scaling=read_scaling(reward),
    )


def load_reference(sft: Path, machine: MachineConfig) -> PreTrainedModel:
    """The reference of a whole policy: in 32 bits like the policy, so that their KL starts at exactly 0."""
    return for_use(place(load_weights(sft, torch.float32), machine))


def trainable_value_model(
    reward: Path, machine: MachineConfig, tuning: Tuning, lora: LoraConfig
) -> PreTrainedModel | PeftModel:
    """The value model starts as the reward model (Ouyang et al. 2022, appendix C.4), whole or under new adapters."""
    if tuning == "lora":
        return with_adapters(load_scalar_model(reward, machine), lora, "SEQ_CLS")
    return scalar_model_to_go_on(reward, machine)


def read_scaling(reward: Path) -> Scaling:
    """Read where the reward model's scores lie.

    Raises ArtifactError where that is not recorded, or where the model scores every answer alike.
    """
    path = reward / SCALING
    try:
        recorded = json.loads(path.read_text(encoding="utf-8"))
        scaling = Scaling(float(recorded["mean"]), float(recorded["std"]))
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError(f"{path} does not hold a mean and a std ({error}); run the reward stage again") from None
    if not scaling.std > 0:
        raise ArtifactError(
            f"{path}: the reward model scores every answer alike (std {scaling.std}), so nothing can be learned from "
            "it; train it longer or look at its labels"
        )
    return scaling
