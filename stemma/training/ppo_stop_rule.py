"""When PPO has begun to please the reward model at the judge's cost, or has gone too far from its reference.

Looks are compared prompt by prompt: the prompts and the seed of their answers are the same at each. A look shows the
first where, against the look that the judge liked best, the judge's mean difference is below 0 and the reward model's
above 0, each by a paired t-test. The best look is a choice after the fact, so the test's error is divided by the number
of all pairs of looks (Bonferroni): where the judge's expected score never falls, a run is stopped with a chance of at
most ERROR, whatever the looks have to do with each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal, NamedTuple

from stemma.evaluation.intervals import Interval, mean_interval
from stemma.training.ppo_watch_settings import WatchSettings

ERROR = 0.05
"""Chance, over a whole run, of a stop though the judge's expected score never fell."""

Reason = Literal["", "judge", "kl"]
"""Why training stops: the judge's score fell while the reward model's rose, or the KL left its budget."""


class Look(NamedTuple):
    """What was measured after an update, an entry a prompt."""

    update: int
    scores: Sequence[float]
    """The reward model's."""
    judged: Sequence[float]
    """The judge's."""
    kl: float
    """Nats an answer, from the reference."""


def risen(before: Sequence[float], now: Sequence[float], error: float) -> Interval:
    """The mean rise over the same prompts; each end of its interval errs with this chance."""
    return mean_interval([b - a for a, b in zip(before, now, strict=True)], 1 - 2 * error)


@dataclass
class StopRule:
    """Is given one look after another; `looks` is how many there are in a run that is not stopped."""

    settings: WatchSettings
    looks: int
    best: Look | None = None
    """The look of the highest mean by the judge within the KL budget, the earliest of equals."""
    shown: int = 0
    """Looks in a row that showed the judge's score below and the reward model's above the best look's."""
    reason: Reason = ""

    def add(self, look: Look) -> None:
        """Take one more look into account."""
        if look.kl > self.settings.kl_budget:
            self.reason = "kl"
        elif self.best is None or fmean(look.judged) > fmean(self.best.judged):
            self.best, self.shown = look, 0
        else:
            scores, judged = self.since_best(look)
            self.shown = self.shown + 1 if scores.low > 0 > judged.high else 0
            if self.shown >= self.settings.patience:
                self.reason = "judge"

    def since_best(self, look: Look) -> tuple[Interval, Interval]:
        """How far the reward model's and the judge's scores rose since the best look."""
        if self.best is None:
            raise ValueError("the rule was given no look within the KL budget yet")
        error = ERROR / max(1, self.looks * (self.looks - 1) // 2)
        return risen(self.best.scores, look.scores, error), risen(self.best.judged, look.judged, error)

    def state(self) -> dict[str, Any]:
        """What a step checkpoint keeps of it."""
        return {"best": tuple(self.best) if self.best else None, "shown": self.shown}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to what a step checkpoint kept."""
        self.best = Look(*state["best"]) if state["best"] else None
        self.shown = state["shown"]
