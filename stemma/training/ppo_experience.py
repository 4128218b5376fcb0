"""Rollouts turned into what the losses need: advantages and returns."""

from typing import NamedTuple

from torch import Tensor

from stemma.objectives.gae import generalized_advantages
from stemma.objectives.masking import masked_whiten
from stemma.objectives.rewards import charge_missing_eos, token_rewards
from stemma.sampling.rollouts import Rollouts
from stemma.training.ppo_settings import PpoSettings


class Experience(NamedTuple):
    """What one update learns from; b responses of up to t tokens after prompts of up to p."""

    sequences: Tensor
    """(b, p + t) token ids."""
    attention_mask: Tensor
    """(b, p + t)"""
    mask: Tensor
    """(b, t) bool, True at the response's tokens."""
    old_logprobs: Tensor
    """(b, t) of the policy that sampled."""
    old_values: Tensor
    """(b, t) of the value model before this update."""
    rewards: Tensor
    """(b, t): the KL charge at every token, the score at the last."""
    advantages: Tensor
    """(b, t), whitened over the whole update."""
    returns: Tensor
    """(b, t)"""
    sampler_logprobs: Tensor
    """(b, t) of the distribution that the tokens were drawn from."""

    def rows(self, indices: Tensor) -> "Experience":
        """The responses at these indices."""
        return Experience(*(column[indices] for column in self))

    @property
    def tokens(self) -> Tensor:
        """The responses' token ids (b, t)."""
        return self.sequences[:, -self.mask.shape[1] :]


def experience_of(rollouts: Rollouts, settings: PpoSettings) -> Experience:
    """Charge the KL and the missing ends, then estimate advantages and whiten them over all responses together."""
    scores = charge_missing_eos(rollouts.scores, rollouts.finished, settings.missing_eos_penalty)
    rewards = token_rewards(scores, rollouts.logprobs, rollouts.ref_logprobs, rollouts.mask, settings.kl_coef)
    advantages, returns = generalized_advantages(rewards, rollouts.values, rollouts.mask, settings.gamma, settings.lam)
    return Experience(
        sequences=rollouts.sequences,
        attention_mask=rollouts.attention_mask,
        mask=rollouts.mask,
        old_logprobs=rollouts.logprobs,
        old_values=rollouts.values,
        rewards=rewards,
        advantages=masked_whiten(advantages, rollouts.mask),
        returns=returns,
        sampler_logprobs=rollouts.sampler_logprobs,
    )
