"""A weight that is no longer finite after a step whose loss and gradient were, as faulty hardware may leave it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook


@contextmanager
def weight_broken_by_step(step: int) -> Iterator[None]:
    """Whatever optimizer takes its step-th step in here leaves infinity in the first weight that it trains."""
    steps = iter(range(1, step + 1))

    @torch.no_grad()
    def hook(optimizer: Optimizer, *_: Any) -> None:
        if next(steps, None) == step:
            optimizer.param_groups[0]["params"][0].view(-1)[0] = torch.inf

    handle = register_optimizer_step_post_hook(hook)
    try:
        yield
    finally:
        handle.remove()
