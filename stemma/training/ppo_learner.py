"""The two models that learn, and how they learn from one update's experience."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor, nn
from torch.distributed.optim import ZeroRedundancyOptimizer

from stemma.config import MachineConfig
from stemma.objectives.logprobs import token_logprobs
from stemma.objectives.ppo import policy_loss, value_loss
from stemma.sampling.forward import response_logits, response_values
from stemma.sampling.rollouts import PpoModels
from stemma.training.among_ranks import own_rows, sum_gradients, summed
from stemma.training.ppo_experience import Experience
from stemma.training.ppo_on_policy import FIRST_LOG_RATIO, log_ratio_size
from stemma.training.ppo_settings import PpoSettings

ADAM_EPSILON = 1e-5
"""Of Adam (Huang et al. 2022, "The 37 implementation details of PPO", detail 3)."""


@dataclass(frozen=True)
class Learner:
    """The models, the optimizer of the two that learn, and the settings."""

    models: PpoModels
    optimizer: torch.optim.Optimizer
    settings: PpoSettings
    machine: MachineConfig

    def improve(self, experience: Experience, seed: int) -> dict[str, float]:
        """Take `epochs` passes of `minibatches` optimizer steps each; return the metrics' means over the steps."""
        random = torch.Generator().manual_seed(seed)
        steps: list[dict[str, float]] = []
        for _ in range(self.settings.epochs):
            order = torch.randperm(len(experience.mask), generator=random)
            minibatches = torch.tensor_split(order, self.settings.minibatches)
            steps += [self._step(experience.rows(rows)) for rows in minibatches]
        first = {name: number for name, number in steps[0].items() if name == FIRST_LOG_RATIO}
        return {name: fmean(step[name] for step in steps) for name in steps[0]} | first

    def _step(self, minibatch: Experience) -> dict[str, float]:
        """Take one optimizer step; micro-batches weigh by their share of the tokens, so their size changes nothing.

        Each rank takes its rows of the minibatch; the sum over ranks is what one process would have.
        """
        self.optimizer.zero_grad()
        metrics: dict[str, float] = {}
        for rows in torch.split(torch.tensor(own_rows(len(minibatch.mask))), self.settings.micro_batch_size):
            micro = minibatch.rows(rows)
            share = micro.mask.sum() / minibatch.mask.sum()
            for name, number in self._backward(micro, share).items():
                metrics[name] = metrics.get(name, 0.0) + (share * number).item()
        metrics = summed(metrics)
        for name, model in (("policy", self.models.policy), ("value", self.models.value_model)):
            sum_gradients(trained(model))
            norm = nn.utils.clip_grad_norm_(trained(model), self.settings.max_grad_norm)
            metrics[f"{name}/grad_norm"] = norm.item()
        self.optimizer.step()
        return metrics

    def _backward(self, batch: Experience, share: Tensor) -> dict[str, Tensor]:
        """Add the gradients of both losses, one after the other, so that one model's activations are held at a time."""
        settings, length = self.settings, batch.mask.shape[1]
        with autocast(self.machine):
            logits = response_logits(
                self.models.policy, batch.sequences, batch.attention_mask, length, settings.temperature
            )
        logprobs = token_logprobs(logits, batch.tokens)
        policy = policy_loss(logprobs, batch.old_logprobs, batch.advantages, batch.mask, settings.clip_range)
        torch.autograd.backward(share * policy.loss)

        with autocast(self.machine):
            values = response_values(self.models.value_model, batch.sequences, batch.attention_mask, length)
        values = self.models.scaling.apply(values)
        value = value_loss(values, batch.old_values, batch.returns, batch.mask, settings.value_clip_range)
        torch.autograd.backward(share * settings.vf_coef * value.loss)
        return {
            "policy/loss": policy.loss.detach(),
            "policy/clip_fraction": policy.clip_fraction,
            "policy/approx_kl": policy.approx_kl,
            FIRST_LOG_RATIO: log_ratio_size(logprobs.detach(), batch),
            "value/loss": value.loss.detach(),
            "value/clip_fraction": value.clip_fraction,
        }


def new_learner(models: PpoModels, settings: PpoSettings, machine: MachineConfig) -> Learner:
    """A learner that has learned nothing yet; dropout is off, because it would make the probability ratio noise."""
    models.policy.eval()
    models.value_model.eval()
    parameters = [*trained(models.policy), *trained(models.value_model)]
    optimizer: torch.optim.Optimizer
    if machine.sharding == "none":
        optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, eps=ADAM_EPSILON, weight_decay=0.0)
    else:
        adam, rate = torch.optim.AdamW, settings.learning_rate
        optimizer = ZeroRedundancyOptimizer(parameters, adam, lr=rate, eps=ADAM_EPSILON, weight_decay=0.0)
    return Learner(models, optimizer, settings, machine)


def set_learning_rate(optimizer: torch.optim.Optimizer, settings: PpoSettings, update: int) -> float:
    """Set and return the rate of an update (counted from 1): linear from learning_rate down to 0 after the last."""
    rate = settings.learning_rate * (1 - (update - 1) / settings.updates)
    for group in optimizer.param_groups:
        group["lr"] = rate
    return rate


def trained(model: nn.Module) -> Iterator[nn.Parameter]:
    """The parameters that learn: all of them, or the adapters."""
    return (parameter for parameter in model.parameters() if parameter.requires_grad)


def autocast(machine: MachineConfig) -> torch.autocast:
    """Run forwards in bf16 where the machine's precision says so."""
    return torch.autocast(machine.device, dtype=torch.bfloat16, enabled=machine.precision == "bf16")
