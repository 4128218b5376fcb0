"""The settings of the watch over PPO."""

from pydantic import Field

from stemma.config import Settings


class WatchSettings(Settings):
    """How PPO is watched, so that it does not go on to learn what the reward model likes and the judge does not."""

    every: int = Field(10, ge=0)
    """Updates between looks at answers to held-out prompts, with one before the first and after the last; 0: none."""
    prompts: int = Field(128, ge=2)
    """Validation prompts of a look, at most, drawn by the seed; no more than ppo.rollouts needs no more memory."""
    patience: int = Field(2, ge=1)
    """Looks in a row that must show it; at 1, a dip from which PPO recovers by itself stops it too."""
    kl_budget: float = Field(20.0, gt=0)
    """Most nats an answer that the policy may be from its reference; 20 is what a promotion allows."""


def updates_to_look_after(watch: WatchSettings, updates: int, warmup: int = 0) -> list[int]:
    """0, every `every`-th and the last; none of the first `warmup`, after which the policy is still what it was."""
    due = {*range(0, updates + 1, watch.every), updates} if watch.every else set()
    return sorted(update for update in due if update == 0 or update > warmup)
