"""What one update of PPO does to its experience and its weights, held against sums by hand."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn, tensor
from torch.testing import assert_close

from stemma.config import LoraConfig, MachineConfig
from stemma.objectives.masking import masked_mean, masked_var
from stemma.sampling.decoding import Decoding
from stemma.sampling.rollouts import PpoModels, Rollouts
from stemma.training.ppo import train_ppo
from stemma.training.ppo_experience import Experience, experience_of
from stemma.training.ppo_learner import new_learner
from stemma.training.ppo_models import load_ppo_models
from stemma.training.ppo_on_policy import FIRST_LOG_RATIO
from stemma.training.ppo_settings import PpoSettings
from tests.tiny import MACHINE, tiny_stage
from tests.tiny_ppo import PROMPTS, experience_with

BF16 = MACHINE.model_copy(update={"precision": "bf16"})
ONE_STEP = PpoSettings(
    updates=2,
    rollouts=8,
    minibatches=1,
    micro_batch_size=8,
    max_new_tokens=5,
    learning_rate=1e-3,
    value_learning_rate=2e-3,
)
DECODING = Decoding(ONE_STEP.max_new_tokens, 1.0, 4, 0)


def test_experience_by_hand() -> None:
    settings = PpoSettings(kl_coef=0.5, gamma=0.9, lam=0.5, missing_eos_penalty=2.0)
    rollouts = Rollouts(
        sequences=torch.zeros(2, 3, dtype=torch.long),
        attention_mask=torch.ones(2, 3, dtype=torch.long),
        mask=tensor([[True, True], [True, False]]),
        finished=tensor([True, False]),
        logprobs=tensor([[-1.0, -2.0], [-3.0, 0.0]]),
        ref_logprobs=tensor([[-2.0, -1.0], [-3.0, 0.0]]),
        entropies=torch.zeros(2, 2),
        kls=torch.zeros(2, 2),
        values=tensor([[1.0, 2.0], [3.0, 9.0]]),
        scores=tensor([4.0, 5.0]),
        sampler_logprobs=tensor([[-1.0, -2.0], [-3.0, 0.0]]),
    )
    experience = experience_of(rollouts, settings)
    # charged 0.5 (log π − log π_ref), the score at the last token, less 2 where the response did not end
    assert_close(experience.rewards, tensor([[-0.5, 4.5], [3.0, 0.0]]))
    # δ = r + 0.9 V' − V: 4.5 − 2 = 2.5; −0.5 + 0.9 · 2 − 1 = 0.3, and 0.3 + 0.9 · 0.5 · 2.5 = 1.425; 3 − 3 = 0
    plain = tensor([[1.425, 2.5], [0.0, 0.0]])
    assert_close(experience.returns[rollouts.mask], (plain + rollouts.values)[rollouts.mask])
    mean = (1.425 + 2.5 + 0.0) / 3
    spread = (((1.425 - mean) ** 2 + (2.5 - mean) ** 2 + mean**2) / 3) ** 0.5
    assert_close(experience.advantages, torch.where(rollouts.mask, (plain - mean) / spread, 0.0))


def load(artifacts: Path, machine: MachineConfig = MACHINE) -> PpoModels:
    torch.manual_seed(0)
    return load_ppo_models(artifacts / "sft", artifacts / "reward", machine, "full", LoraConfig())


def test_advantages_have_mean_0_and_standard_deviation_1(artifacts: Path) -> None:
    experience = experience_with(new_learner(load(artifacts), ONE_STEP, MACHINE))
    assert masked_mean(experience.advantages, experience.mask).item() == pytest.approx(0, abs=1e-5)
    assert masked_var(experience.advantages, experience.mask).item() == pytest.approx(1, abs=1e-4)


def test_the_first_step_is_adams_with_an_epsilon_of_1e_5(artifacts: Path) -> None:
    """Of step 1 both moments are the gradient's own: −rate · g / (|g| + ε) (Kingma and Ba 2014, algorithm 1)."""
    learner = new_learner(load(artifacts), ONE_STEP, MACHINE)
    experience = experience_with(learner)
    networks = [(learner.models.policy, 1e-3), (learner.models.value_model, 2e-3)]
    before = [[weight.detach().clone() for weight in model.parameters()] for model, _ in networks]
    learner.improve(experience, seed=0)
    for (model, rate), weights in zip(networks, before, strict=True):
        for weight, old in zip(model.parameters(), weights, strict=True):
            gradient: Any = weight.grad
            assert_close(weight.detach(), old - rate * gradient / (gradient.abs() + 1e-5), rtol=1e-4, atol=1e-6)


def gradients(artifacts: Path, machine: MachineConfig, experience: Experience) -> dict[str, Tensor]:
    """The gradient that an experience gives each network, as one vector."""
    learner = new_learner(load(artifacts), ONE_STEP.model_copy(update={"max_grad_norm": 1e9}), machine)
    learner.improve(experience, seed=0)
    models = {"policy": learner.models.policy, "value": learner.models.value_model}
    return {name: torch.cat([_grad(p) for p in model.parameters()]) for name, model in models.items()}


def _grad(parameter: nn.Parameter) -> Tensor:
    gradient: Any = parameter.grad
    return torch.as_tensor(gradient).flatten()


def test_bf16_gradients_differ_from_fp32_by_rounding_and_no_more(artifacts: Path) -> None:
    experience = experience_with(new_learner(load(artifacts), ONE_STEP, MACHINE))
    exact, rounded = (gradients(artifacts, machine, experience) for machine in (MACHINE, BF16))
    for name, gradient in exact.items():
        difference = ((rounded[name] - gradient).norm() / gradient.norm()).item()
        assert 1e-4 < difference < 0.05, name  # bf16 keeps 8 bits: each number is off by up to 2⁻⁹ of itself


def test_every_update_takes_its_minibatches_in_another_order(
    artifacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[list[int]] = []
    rows = Experience.rows

    def spy(self: Experience, indices: Tensor) -> Experience:
        taken.append(indices.tolist())
        return rows(self, indices)

    monkeypatch.setattr(Experience, "rows", spy)
    train_ppo(load(artifacts), PROMPTS, DECODING, ONE_STEP, tiny_stage(tmp_path, "ppo"))
    whole = [indices for indices in taken if indices != list(range(8))]  # the micro-batch of all is in its own order
    assert len(whole) == 2
    assert whole[0] != whole[1]
    assert [sorted(indices) for indices in whole] == [list(range(8))] * 2


def test_dropout_is_off_in_both_networks(artifacts: Path) -> None:
    models = load(artifacts)
    for model in (models.policy, models.value_model):
        model.train()
        attention: list[Any] = [module for module in model.modules() if hasattr(module, "attention_dropout")]
        for module in attention:
            module.attention_dropout = 0.5
    learner = new_learner(models, ONE_STEP, MACHINE)
    experience = experience_with(learner)
    metrics = learner.improve(experience, seed=0)
    assert metrics[FIRST_LOG_RATIO] < 1e-5
    unmoved = masked_mean((experience.old_values - experience.returns).square(), experience.mask) / 2
    assert metrics["value/loss"] == pytest.approx(unmoved.item(), rel=1e-4)
