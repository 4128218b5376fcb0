"""What is told of an update's responses, before anything is learned from them."""

from torch import Tensor

from stemma.objectives.gae import explained_variance
from stemma.objectives.kl import kl_k1, kl_k3
from stemma.objectives.logprobs import sequence_logps
from stemma.objectives.masking import masked_mean
from stemma.sampling.rollouts import Rollouts
from stemma.training.ppo_experience import Experience


def rollout_metrics(rollouts: Rollouts, experience: Experience) -> dict[str, float]:
    """Numbers of one update; stemma/metric_names.py says what each means."""
    mask = rollouts.mask
    metrics: dict[str, Tensor] = {
        "objective/kl": sequence_logps(kl_k1(rollouts.logprobs, rollouts.ref_logprobs), mask).mean(),
        "objective/kl_exact": sequence_logps(rollouts.kls, mask).mean(),
        "objective/kl_k3": sequence_logps(kl_k3(rollouts.logprobs, rollouts.ref_logprobs), mask).mean(),
        "objective/entropy": masked_mean(rollouts.entropies, mask),
        "objective/scores": rollouts.scores.mean(),
        "objective/rewards": experience.rewards.sum(-1).mean(),
        "value/explained_variance": explained_variance(experience.old_values, experience.returns, mask),
        "response/length": mask.sum(-1).float().mean(),
        "response/finished": rollouts.finished.float().mean(),
    }
    return {name: number.item() for name, number in metrics.items()}
