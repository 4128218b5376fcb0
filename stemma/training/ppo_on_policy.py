"""Whether an update learns from responses of the very policy that it improves.

Before the first optimizer step of an update the policy has not moved, so that each token has the log-probability that
it was drawn with: the log ratio of PPO's loss is 0. If it is not, something changed what is sampled or how it is read,
and every gradient that follows is silently off-policy.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from stemma.config import MachineConfig
from stemma.errors import TrainingError
from stemma.objectives.masking import masked_mean
from stemma.training.ppo_experience import Experience

FIRST_LOG_RATIO = "policy/first_log_ratio"
TOLERANCE = {"fp32": 1e-3, "bf16": 0.1}
"""The largest mean |log ratio| of a first minibatch, in nats a token, that rounding explains.

The sampler goes token by token through a cache, training through whole sequences, so their sums round differently. Of
small LLaMA, GPT-2, OPT and BLOOM models the mean is 4e-7 in fp32 and up to 0.004 in bf16, whose 8 bits round a logit of
10 by up to 0.03 (tests/unit/training/test_ppo_on_policy.py); the logits of large models are some times larger. What the
alarm is for is larger again: on these models, reading a temperature of 0.7 as 1 gives 0.3 to 0.5.
"""


def log_ratio_size(logprobs: Tensor, batch: Experience) -> Tensor:
    """Mean over tokens of |log ratio|: against the rollouts' log-probabilities or the sampler's, the larger of the two.

    Shape: logprobs (b, t) of the batch's tokens by the policy as it is now → (), in nats.
    """
    old, sampler = (logprobs - batch.old_logprobs).abs(), (logprobs - batch.sampler_logprobs).abs()
    return masked_mean(torch.maximum(old, sampler), batch.mask)


def require_on_policy(metrics: Mapping[str, float], update: int, machine: MachineConfig) -> None:
    """Stop where the first minibatch's log ratio is not about 0; an update in which the policy does not learn has none.

    Raises TrainingError with the number, the tolerance and the likely causes.
    """
    size, most = metrics.get(FIRST_LOG_RATIO, 0.0), TOLERANCE[machine.precision]
    if not size > most:  # NaN is divergence, which has an error of its own
        return
    raise TrainingError(
        f"PPO is off-policy: before the first optimizer step of update {update} the policy's log-probabilities differ "
        f"from those that the tokens were sampled with by {size:.3g} nats a token (at most {most:g} in "
        f"{machine.precision}), so the responses were not drawn from the policy that learns from them. Likely causes: "
        "a setting of the model's generation_config.json that changes sampling, another temperature in sampling than "
        "in training, dropout that is on, or a model that reads positions differently under left padding. Take "
        "another base model, or report it with the base model's name."
    )
