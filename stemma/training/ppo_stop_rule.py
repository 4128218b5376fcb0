"""When PPO has begun to please the reward model at the judge's cost, or has gone too far from its reference.

Looks are compared prompt by prompt: the prompts and the seed of their answers are the same at each. A look shows the
first where, since some earlier look, the judge's mean score fell and the reward model's rose, each by a paired t-test.
The judge's is held against every look before it, so its error is that of the whole run divided by the number of pairs
of looks (Bonferroni): where the judge's expected score never falls, a run shows a fall with a chance of at most ERROR,
whatever the looks have to do with each other.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, Literal, NamedTuple

from stemma.evaluation.intervals import CONFIDENCE, Interval, mean_interval
from stemma.training.ppo_watch_settings import WatchSettings

ERROR = 0.05
"""Chance, over a whole run, that a look shows a fall of the judge's expected score though there was none."""

Reason = Literal["", "judge", "kl"]
"""Why training stops: the judge's score fell while the reward model's rose, or the KL left its budget."""


class Look(NamedTuple):
    """What was measured after an update; the scores have an entry a prompt."""

    update: int
    scores: Sequence[float]
    """The reward model's."""
    judged: Sequence[float]
    """The judge's."""
    kl: float
    """Nats an answer, from the reference."""


class Fall(NamedTuple):
    """The judge's score fell while the reward model's rose."""

    since: int
    """The update after which the earlier look was."""
    scores: Interval
    """How much the reward model's mean score rose."""
    judged: Interval
    """How much the judge's mean score rose: below 0."""


def rise(before: Sequence[float], now: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """How much a mean rose over the same prompts."""
    return mean_interval([b - a for a, b in zip(before, now, strict=True)], confidence)


class StopRule:
    """Is given one look after another; `looks` is how many there are in a run that is not stopped."""

    def __init__(self, settings: WatchSettings, looks: int) -> None:
        self._settings = settings
        self._confidence = 1 - 2 * ERROR / max(1, looks * (looks - 1) // 2)  # the upper end alone is tested
        self._seen: list[Look] = []
        self.shown = 0
        """Looks in a row, up to the last, that showed a fall."""
        self.reason: Reason = ""

    @property
    def best(self) -> Look | None:
        """The look of the highest mean by the judge within the KL budget, the earliest of equals."""
        allowed = [look for look in self._seen if look.kl <= self._settings.kl_budget]
        return max(allowed, key=lambda look: fmean(look.judged), default=None)

    def add(self, look: Look) -> Fall | None:
        """Take one more look into account; return the greatest fall that it shows."""
        fall = self._fall(look)
        self._seen.append(look)
        self.shown = self.shown + 1 if fall else 0
        if look.kl > self._settings.kl_budget:
            self.reason = "kl"
        elif self.shown >= self._settings.patience:
            self.reason = "judge"
        return fall

    def _fall(self, look: Look) -> Fall | None:
        since = [
            Fall(old.update, rise(old.scores, look.scores), rise(old.judged, look.judged, self._confidence))
            for old in self._seen
        ]
        shown = [fall for fall in since if fall.scores.low > 0 > fall.judged.high]
        return min(shown, key=lambda fall: fall.judged.estimate, default=None)

    def state(self) -> dict[str, Any]:
        """What a step checkpoint keeps of it."""
        return {"seen": [tuple(look) for look in self._seen], "shown": self.shown}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to what a step checkpoint kept."""
        self._seen = [Look(*look) for look in state["seen"]]
        self.shown = state["shown"]
