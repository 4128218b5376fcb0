"""The learning rate of pre-training: it rises, stays, and falls to 0 at the end (Zhai et al. 2022)."""

from stemma.training.pretrain_settings import PretrainSettings


class Schedule:
    """The learning rate of each step (counted from 1), and the last step; when the fall begins may be decided late."""

    def __init__(self, settings: PretrainSettings, ends_by_itself: bool) -> None:
        self._settings = settings
        self.latest_fall = settings.max_steps - settings.decay_steps
        """The last step after which the fall may begin."""
        self.falls_after: int | None = self.latest_fall if ends_by_itself else None
        """The step after which the learning rate falls; None while that is not decided."""

    @property
    def last_step(self) -> int:
        """The step at which training ends, as far as is known."""
        begins = self.latest_fall if self.falls_after is None else self.falls_after
        return begins + self._settings.decay_steps

    def learning_rate(self, step: int) -> float:
        """The rate of a step: above 0 from the first to the last."""
        warm = min(1.0, step / max(self._settings.warmup_steps, 1))
        left = min(1.0, (self.last_step - step + 1) / self._settings.decay_steps)
        return self._settings.learning_rate * warm * left
