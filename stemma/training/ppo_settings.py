"""The settings of the PPO loop."""

from pydantic import Field, model_validator

from stemma.config import MachineConfig, Settings
from stemma.errors import SettingsError
from stemma.records.counting import counted
from stemma.training.ppo_watch_settings import WatchSettings


class PpoSettings(Settings):
    """How PPO trains; the defaults suit the default world and its policy of 1 M weights."""

    updates: int = Field(50, ge=1)
    """How many times responses are sampled and learned from."""
    rollouts: int = Field(128, ge=1)
    """Responses sampled in an update, each to a prompt of its own."""
    epochs: int = Field(1, ge=1)
    """Passes over an update's responses; 4 is usual for bigger models (Ziegler et al. 2019)."""
    minibatches: int = Field(4, ge=1)
    """Optimizer steps in a pass."""
    micro_batch_size: int = Field(32, ge=1)
    """Responses scored and learned from in one forward; lower it where memory is short, the gradients stay the same.
    All of an update are sampled at once, so there `rollouts` and `max_new_tokens` decide."""
    learning_rate: float = Field(3e-4, gt=0)
    """Of the policy at first; it falls linearly to 0. Take 3e-6 for 1 B weights (Huang et al. 2024)."""
    value_learning_rate: float = Field(3e-4, gt=0)
    """Of the value model at first; it falls linearly to 0. The two models share no weight, so this sets how fast the
    value model learns, and nothing else does; start at ppo.learning_rate."""
    value_warmup_updates: int = Field(0, ge=0)
    """Updates at the start, counted among `updates`, in which the value model alone learns. The policy stays as it is;
    its learning rate falls from the first update after them. For a value model that starts far from the returns: look
    at value/explained_variance."""
    max_grad_norm: float = Field(1.0, gt=0)
    """Each trained model's gradient is scaled down to this norm where it is longer."""
    kl_coef: float = Field(0.1, ge=0)
    """Reward charged a nat that a token is likelier than under the reference; 0.05 to 0.2 did about as well."""
    clip_range: float = Field(0.2, gt=0, lt=1)
    """How far a token's probability ratio may move and still be rewarded for it (Schulman et al. 2017, eq. 7)."""
    value_clip_range: float = Field(0.2, gt=0)
    """How far a value may move in one update, in standard deviations of the reward model's scores."""
    gamma: float = Field(1.0, ge=0, le=1)
    """Discount of later rewards; 1 because a response is short and is judged as a whole (Ziegler et al. 2019)."""
    lam: float = Field(0.95, ge=0, le=1)
    """λ of generalized advantage estimation: 1 trusts the rewards alone, 0 the value model alone."""
    missing_eos_penalty: float = Field(1.0, ge=0)
    """Subtracted from the scaled score of a response that did not end."""
    max_new_tokens: int = Field(24, ge=1)
    """Length limit of a response; the longest demonstration of the default world has 23 tokens."""
    temperature: float = Field(1.0, gt=0)
    """Of sampling; log-probabilities are taken at the same temperature, so 1 trains the policy that is saved."""
    checkpoint_every: int = Field(10, ge=1)
    """Updates between step checkpoints; a killed run goes on from the newest."""
    watch: WatchSettings = WatchSettings()
    """Looks at held-out answers while it trains, and when they stop it."""

    @model_validator(mode="after")
    def _every_minibatch_has_a_response(self) -> "PpoSettings":
        if self.minibatches > self.rollouts:
            raise ValueError(
                f"minibatches ({self.minibatches}) must not exceed rollouts ({self.rollouts}): lower it or sample more"
            )
        return self

    @model_validator(mode="after")
    def _policy_learns_after_the_warm_up(self) -> "PpoSettings":
        if self.value_warmup_updates >= self.updates:
            raise ValueError(
                f"value_warmup_updates ({self.value_warmup_updates}) must be below updates ({self.updates}), or the "
                "policy never learns: lower it, or raise updates"
            )
        return self


NOT_SHARDED = {
    "zero2": "it divides the optimizer's state among the processes, and not the gradients",
    "zero3": "sampling would fetch every layer's weights from all processes for each token",
}
"""What PPO does not do, and why."""


def check_processes(settings: PpoSettings, machine: MachineConfig) -> None:
    """Raise SettingsError where the machine's processes cannot share an update."""
    if machine.sharding in NOT_SHARDED:
        raise SettingsError(
            f"ppo takes no machine.sharding={machine.sharding}: {NOT_SHARDED[machine.sharding]}. Set it to zero1, "
            "which every stage takes, or train with the dpo flow"
        )
    rows = settings.rollouts // settings.minibatches
    if rows < machine.processes:
        raise SettingsError(
            f"a minibatch of ppo has {counted(rows, 'response')} (ppo.rollouts over ppo.minibatches), fewer than "
            f"machine.processes ({machine.processes}); sample more, or lower one of the others"
        )
