"""What a killed PPO run needs to go on: the weights that learn, their optimizers' moments, and what the watch saw.

Nothing else is kept, because everything else (prompts, seeds, learning rate) follows from the number of the update.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch.distributed.optim import ZeroRedundancyOptimizer

from stemma.stage.rank import is_first, wait_for_all
from stemma.training.checkpoints import load_checkpoint, save_checkpoint
from stemma.training.ppo_learner import Learner
from stemma.training.ppo_watch import Watch
from stemma.training.trained_weights import copy_weights, trained_weights


def save(learner: Learner, watch: Watch | None, folder: Path, update: int) -> None:
    """Write a step checkpoint after an update: the first rank does, and the others wait for it."""
    for optimizer in learner.optimizers.values():
        if isinstance(optimizer, ZeroRedundancyOptimizer):
            optimizer.consolidate_state_dict()
    if is_first():
        save_checkpoint(folder, update, _state(learner, watch))
    wait_for_all()


def _state(learner: Learner, watch: Watch | None) -> dict[str, Any]:
    return {
        "policy": trained_weights(learner.models.policy),
        "value_model": trained_weights(learner.models.value_model),
        "optimizers": {name: optimizer.state_dict() for name, optimizer in learner.optimizers.items()},
        "watch": watch.state() if watch else None,
    }


def restore(learner: Learner, watch: Watch | None, folder: Path, say: Callable[[str], None]) -> int:
    """Go back to the newest step checkpoint; return its update, 0 where there is none.

    `say` is told of one that cannot be read.
    """
    checkpoint = load_checkpoint(folder, say)
    if checkpoint is None:
        return 0
    copy_weights(learner.models.policy, checkpoint.state["policy"])
    copy_weights(learner.models.value_model, checkpoint.state["value_model"])
    for name, optimizer in learner.optimizers.items():
        optimizer.load_state_dict(checkpoint.state["optimizers"][name])
    if watch:  # of the first rank
        watch.restore(checkpoint.state["watch"])
    return checkpoint.step
