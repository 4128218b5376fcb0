"""PPO's updates shared among ranks: which part of the prompts a rank answers, and all ranks' rollouts together."""

import torch
from torch import Tensor, nn

from stemma.sampling.rollouts import Rollouts
from stemma.sampling.shares import Share
from stemma.stage.rank import rank, ranks
from stemma.training.among_ranks import from_all
from stemma.training.ppo_settings import PpoSettings


def own_share(settings: PpoSettings) -> Share | None:
    """This rank's part of an update's prompts; None where one process answers them all."""
    return Share(rank(), ranks(), settings.rollouts) if ranks() > 1 else None


def whole_rollouts(own: Rollouts, pad_token_id: int) -> Rollouts:
    """The rollouts of all ranks, in the ranks' order, as wide as the longest response of any."""
    if ranks() == 1:
        return own
    parts = [Rollouts(*part) for part in from_all([column.cpu() for column in own])]
    width = max(part.mask.shape[1] for part in parts)
    padded = [_padded(part, width - part.mask.shape[1], pad_token_id) for part in parts]
    return Rollouts(*(torch.cat(column).to(own.mask.device) for column in zip(*padded, strict=True)))


def _padded(part: Rollouts, more: int, pad_token_id: int) -> Rollouts:
    def wider(column: Tensor, value: int = 0) -> Tensor:
        return nn.functional.pad(column, (0, more), value=value) if column.dim() == 2 else column

    return Rollouts(*map(wider, part))._replace(sequences=wider(part.sequences, pad_token_id))
