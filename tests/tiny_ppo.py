"""Experience of PPO, sampled by tiny models."""

import torch

from stemma.sampling.decoding import Decoding
from stemma.sampling.prompts import pad_left
from stemma.sampling.rollouts import collect_rollouts
from stemma.training.ppo_experience import Experience, experience_of
from stemma.training.ppo_learner import Learner, autocast

PROMPTS = [[7, 8, 9, 10], [11, 12], [13, 14, 15], [8]] * 2


def experience_with(learner: Learner) -> Experience:
    """The experience of one update on the eight prompts."""
    decoding = Decoding(learner.settings.max_new_tokens, 1.0, 4, 0)
    batch = pad_left(PROMPTS, 0, torch.device("cpu"))
    with autocast(learner.machine):
        return experience_of(collect_rollouts(learner.models, batch, decoding, 0, 4), learner.settings)
