"""The two models that learn, and how they learn from one update's experience.

They share no weight, so each has an optimizer of its own: a weight of one loss beside the other would change nothing
that Adam and the clipped gradient norm do not undo.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

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


Network = Literal["policy", "value"]
"""A model that learns."""
BOTH: tuple[Network, ...] = ("policy", "value")


@dataclass(frozen=True)
class Learner:
    """The models, an optimizer for each of the two that learn, and the settings."""

    models: PpoModels
    optimizers: Mapping[Network, torch.optim.Optimizer]
    settings: PpoSettings
    machine: MachineConfig

    def improve(self, experience: Experience, seed: int, networks: Sequence[Network] = BOTH) -> dict[str, float]:
        """Take `epochs` passes of `minibatches` optimizer steps each; return the metrics' means over the steps.

        Only these networks learn and have metrics.
        """
        random = torch.Generator().manual_seed(seed)
        steps: list[dict[str, float]] = []
        for _ in range(self.settings.epochs):
            order = torch.randperm(len(experience.mask), generator=random)
            minibatches = torch.tensor_split(order, self.settings.minibatches)
            steps += [self._step(experience.rows(rows), networks) for rows in minibatches]
        first = {name: number for name, number in steps[0].items() if name == FIRST_LOG_RATIO}
        return {name: fmean(step[name] for step in steps) for name in steps[0]} | first

    def network(self, name: Network) -> nn.Module:
        """The model of this name."""
        return self.models.policy if name == "policy" else self.models.value_model

    def _step(self, minibatch: Experience, networks: Sequence[Network]) -> dict[str, float]:
        """Take one optimizer step; micro-batches weigh by their share of the tokens, so their size changes nothing.

        Each rank takes its rows of the minibatch; the sum over ranks is what one process would have.
        """
        for name in networks:
            self.optimizers[name].zero_grad()
        metrics: dict[str, float] = {}
        for rows in torch.split(torch.tensor(own_rows(len(minibatch.mask))), self.settings.micro_batch_size):
            micro = minibatch.rows(rows)
            share = micro.mask.sum() / minibatch.mask.sum()
            for metric, number in self._backward(micro, share, networks).items():
                metrics[metric] = metrics.get(metric, 0.0) + (share * number).item()
        metrics = summed(metrics)
        for name in networks:
            model = self.network(name)
            sum_gradients(trained(model))
            norm = nn.utils.clip_grad_norm_(trained(model), self.settings.max_grad_norm)
            metrics[f"{name}/grad_norm"] = norm.item()
            self.optimizers[name].step()
        return metrics

    def _backward(self, batch: Experience, share: Tensor, networks: Sequence[Network]) -> dict[str, Tensor]:
        """Add the gradients of the losses, one after the other, so that one model's activations are held at a time."""
        losses = {"policy": self._policy_backward, "value": self._value_backward}
        return {metric: number for name in networks for metric, number in losses[name](batch, share).items()}

    def _policy_backward(self, batch: Experience, share: Tensor) -> dict[str, Tensor]:
        settings, length = self.settings, batch.mask.shape[1]
        with autocast(self.machine):
            logits = response_logits(
                self.models.policy, batch.sequences, batch.attention_mask, length, settings.temperature
            )
        logprobs = token_logprobs(logits, batch.tokens)
        policy = policy_loss(logprobs, batch.old_logprobs, batch.advantages, batch.mask, settings.clip_range)
        torch.autograd.backward(share * policy.loss)
        return {
            "policy/loss": policy.loss.detach(),
            "policy/clip_fraction": policy.clip_fraction,
            "policy/approx_kl": policy.approx_kl,
            FIRST_LOG_RATIO: log_ratio_size(logprobs.detach(), batch),
        }

    def _value_backward(self, batch: Experience, share: Tensor) -> dict[str, Tensor]:
        settings, length = self.settings, batch.mask.shape[1]
        with autocast(self.machine):
            values = response_values(self.models.value_model, batch.sequences, batch.attention_mask, length)
        values = self.models.scaling.apply(values)
        value = value_loss(values, batch.old_values, batch.returns, batch.mask, settings.value_clip_range)
        torch.autograd.backward(share * value.loss)
        return {"value/loss": value.loss.detach(), "value/clip_fraction": value.clip_fraction}


def new_learner(models: PpoModels, settings: PpoSettings, machine: MachineConfig) -> Learner:
    """A learner that has learned nothing yet; dropout is off, because it would make the probability ratio noise."""
    models.policy.eval()
    models.value_model.eval()
    optimizers: dict[Network, torch.optim.Optimizer] = {
        "policy": _adam(models.policy, settings.learning_rate, machine),
        "value": _adam(models.value_model, settings.value_learning_rate, machine),
    }
    return Learner(models, optimizers, settings, machine)


def _adam(model: nn.Module, rate: float, machine: MachineConfig) -> torch.optim.Optimizer:
    adam, parameters = torch.optim.AdamW, [*trained(model)]
    if machine.sharding == "none":
        return adam(parameters, lr=rate, eps=ADAM_EPSILON, weight_decay=0.0)
    return ZeroRedundancyOptimizer(parameters, adam, lr=rate, eps=ADAM_EPSILON, weight_decay=0.0)


def learning_networks(settings: PpoSettings, update: int) -> tuple[Network, ...]:
    """What learns in an update (counted from 1): the value model alone while it warms up, then both."""
    return ("value",) if update <= settings.value_warmup_updates else BOTH


def set_learning_rates(learner: Learner, update: int) -> dict[Network, float]:
    """Set and return the rates of an update (counted from 1).

    Each falls linearly to 0 after the last update: the value model's from the first, the policy's from the first after
    the value model's warm-up, during which it is 0.
    """
    settings = learner.settings
    warmup, updates = settings.value_warmup_updates, settings.updates
    policy = settings.learning_rate * (1 - (update - 1 - warmup) / (updates - warmup)) if update > warmup else 0.0
    value = settings.value_learning_rate * (1 - (update - 1) / updates)
    rates: dict[Network, float] = {"policy": policy, "value": value}
    for name, rate in rates.items():
        for group in learner.optimizers[name].param_groups:
            group["lr"] = rate
    return rates


def trained(model: nn.Module) -> Iterator[nn.Parameter]:
    """The parameters that learn: all of them, or the adapters."""
    return (parameter for parameter in model.parameters() if parameter.requires_grad)


def autocast(machine: MachineConfig) -> torch.autocast:
    """Run forwards in bf16 where the machine's precision says so."""
    return torch.autocast(machine.device, dtype=torch.bfloat16, enabled=machine.precision == "bf16")
