"""Responses are drawn from the very policy that learns from them, and PPO stops where they are not."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, PretrainedConfig

from stemma.config import LoraConfig, MachineConfig
from stemma.errors import TrainingError
from stemma.models.policy import for_use
from stemma.objectives.logprobs import token_logprobs
from stemma.sampling.decoding import Decoding, sample_responses
from stemma.sampling.forward import response_logits
from stemma.sampling.prompts import pad_left
from stemma.sampling.rollouts import PpoModels
from stemma.training.ppo import train_ppo
from stemma.training.ppo_learner import autocast
from stemma.training.ppo_models import load_ppo_models
from stemma.training.ppo_on_policy import FIRST_LOG_RATIO, TOLERANCE
from stemma.training.ppo_settings import PpoSettings
from tests.families import FAMILIES
from tests.tiny import MACHINE, tiny_stage

TEMPERATURE = 0.7
PROMPTS = [[7, 8, 9, 10, 11, 12, 13], [11, 12], [13, 14, 15], [8]] * 4
SETTINGS = PpoSettings(
    updates=2, rollouts=8, minibatches=2, micro_batch_size=3, max_new_tokens=5, temperature=TEMPERATURE
)
BF16 = MACHINE.model_copy(update={"precision": "bf16"})


def sampled_and_read(config: PretrainedConfig, machine: MachineConfig) -> tuple[Tensor, Tensor]:
    """The log-probabilities that a family's sampler drew tokens with, and those of training's forward; real tokens."""
    torch.manual_seed(0)
    policy = for_use(AutoModelForCausalLM.from_config(config))  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for parameter in policy.parameters():  # weights of 0.02 would draw from nearly uniform distributions
            if parameter.dim() > 1:
                parameter.mul_(8)
    prompts = pad_left(PROMPTS, 0, torch.device("cpu"))
    with torch.no_grad(), autocast(machine):
        responses = sample_responses(policy, prompts, Decoding(12, TEMPERATURE, 4, 0), seed=0)
        sequences = torch.cat([prompts.input_ids, responses.tokens], dim=1)
        mask = torch.cat([prompts.attention_mask, responses.mask.long()], dim=1)
        logits = response_logits(policy, sequences, mask, responses.tokens.shape[1], TEMPERATURE)
    return responses.logprobs[responses.mask], token_logprobs(logits, responses.tokens)[responses.mask]


@pytest.mark.parametrize("config", FAMILIES, ids=lambda config: config.model_type)
def test_sampling_and_training_read_the_same_log_probabilities(config: PretrainedConfig) -> None:
    sampled, read = sampled_and_read(config, MACHINE)
    assert sampled.std() > 0.5  # some tokens are likely, and some are not
    assert (sampled - read).abs().max() < 1e-4


@pytest.mark.parametrize("config", FAMILIES, ids=lambda config: config.model_type)
def test_in_bf16_rounding_stays_below_the_alarm_s_tolerance(config: PretrainedConfig) -> None:
    sampled, read = sampled_and_read(config, BF16)
    assert (sampled - read).abs().mean() < TOLERANCE["bf16"] / 2


def peaked(artifacts: Path) -> PpoModels:
    """Models whose policy prefers some tokens by far, as a trained one does."""
    torch.manual_seed(0)
    models = load_ppo_models(artifacts / "sft", artifacts / "reward", MACHINE, "full", LoraConfig(r=2, alpha=4))
    with torch.no_grad():
        models.policy.model.norm.weight.mul_(10)
    return models


def train(models: PpoModels, root: Path, temperature: float = TEMPERATURE) -> list[dict[str, float]]:
    stage = tiny_stage(root, "ppo")
    train_ppo(models, PROMPTS, Decoding(SETTINGS.max_new_tokens, temperature, 4, 0), SETTINGS, stage)
    return stage.progress.rows()


def test_the_first_minibatch_of_every_update_finds_a_log_ratio_of_0(artifacts: Path, tmp_path: Path) -> None:
    models = peaked(artifacts)
    models.policy.generation_config.update(min_p=0.5, suppress_tokens=list(range(10, 200)), repetition_penalty=5.0)
    rows = train(models, tmp_path)
    assert [row[FIRST_LOG_RATIO] for row in rows] == pytest.approx([0, 0], abs=1e-5)


def test_responses_that_another_distribution_gave_stop_the_run(artifacts: Path, tmp_path: Path) -> None:
    message = (
        r"PPO is off-policy: before the first optimizer step of update 1 .* nats a token \(at most 0\.001 in fp32\)"
    )
    with pytest.raises(TrainingError, match=message):
        train(peaked(artifacts), tmp_path, temperature=1.0)


def test_a_processor_of_the_model_s_own_stops_the_run(artifacts: Path, tmp_path: Path) -> None:
    """What no setting shows: the model's own generate bends the scores before the token is drawn."""
    models: Any = peaked(artifacts)
    plain = models.policy.generate

    def bent(**given: Any) -> Any:
        given["generation_config"].suppress_tokens = list(range(10, 150))
        return plain(**given)

    models.policy.generate = bent
    with pytest.raises(TrainingError, match="PPO is off-policy"):
        train(models, tmp_path)
