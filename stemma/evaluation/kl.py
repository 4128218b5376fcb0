"""How far a policy has moved from its reference, measured on answers that the policy itself sampled."""

from collections.abc import Sequence
from statistics import fmean

from stemma.evaluation.intervals import Interval, mean_interval


def kl_interval(logps: Sequence[float], ref_logps: Sequence[float], samples: int) -> Interval:
    """KL(policy ‖ reference) in nats a sequence, with its interval over prompts.

    `logps` and `ref_logps` are the log-probabilities, under the policy and under the reference, of answers that the
    policy drew at temperature 1: `samples` of them for the first prompt, then as many for the next. The estimate is the
    mean of log π(y|x) − log π_ref(y|x) (Schulman 2020, joschu.net/blog/kl-approx.html, k1): without bias, and below 0
    only by sampling error.
    """
    differences = [ours - theirs for ours, theirs in zip(logps, ref_logps, strict=True)]
    return mean_interval([fmean(differences[i : i + samples]) for i in range(0, len(differences), samples)])
