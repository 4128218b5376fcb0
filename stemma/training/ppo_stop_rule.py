"""When PPO has begun to please the reward model at the judge's cost, or has gone too far from its reference.

Looks are compared prompt by prompt: the prompts and the seed of their answers are the same at each. A look shows the
first where, since some earlier look, the judge's mean score fell and the reward model's rose, each by a paired t-test.
The same is asked of each slice of the prompts (their kinds), because a mean over all prompts hides a slice that gets
worse while the others get better. The judge's score is compared with that of every earlier look, on all prompts and on
each slice, so the error of one test is that of the whole run divided by the number of pairs of looks times the number
of slices and one (Bonferroni): if the judge's expected score never falls anywhere, a run shows a fall with a chance of
at most ERROR, whatever the looks and the slices have to do with each other.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, Literal, NamedTuple

from stemma.evaluation.intervals import CONFIDENCE, Interval, mean_interval
from stemma.training.ppo_watch_settings import WatchSettings

ERROR = 0.05
"""Chance, over a whole run, that a look shows a fall of the judge's expected score though there was none."""

FEWEST_IN_SLICE = 20
"""Prompts of a kind that make it a slice; on fewer, scores of few levels make a t-test err more often than it says."""
ALL = ""
"""The name of all prompts together, among the slices."""

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
    kind: str = ALL
    """The slice of prompts on which it fell; empty for all prompts."""


def rise(before: Sequence[float], now: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """How much a mean rose over the same prompts."""
    return mean_interval([b - a for a, b in zip(before, now, strict=True)], confidence)


def slices_of(kinds: Sequence[str | None]) -> dict[str, list[int]]:
    """The rows of every slice, by name: all rows, and those of each kind with FEWEST_IN_SLICE rows or more.

    A kind that has all the rows is no slice of its own.
    """
    counts = Counter(kind for kind in kinds if kind is not None)
    sizable = sorted(kind for kind, count in counts.items() if FEWEST_IN_SLICE <= count < len(kinds))
    rows = {kind: [row for row, own in enumerate(kinds) if own == kind] for kind in sizable}
    return {ALL: list(range(len(kinds))), **rows}


class StopRule:
    """Is given one look after another.

    `looks` is how many there are in a run that is not stopped; `kinds` gives each prompt's kind, and none makes no
    slices.
    """

    def __init__(self, settings: WatchSettings, looks: int, kinds: Sequence[str | None] = ()) -> None:
        self._settings = settings
        self._slices = slices_of(kinds)
        tests = max(1, looks * (looks - 1) // 2) * len(self._slices)
        self._confidence = 1 - 2 * ERROR / tests  # the upper end alone is tested
        self._seen: list[Look] = []
        self._fallen: set[int] = set()
        """The updates whose looks showed a fall; none of them is the best, whatever its mean over all prompts."""
        self._shown = dict.fromkeys(self._slices, 0)
        """For each slice, the looks in a row, up to the last, that showed a fall on it."""
        self.reason: Reason = ""

    @property
    def shown(self) -> int:
        """Looks in a row, up to the last, that showed a fall on the same slice."""
        return max(self._shown.values())

    @property
    def best(self) -> Look | None:
        """The look of the highest mean by the judge that showed no fall and is within the KL budget, the earliest of
        equals."""
        allowed = [
            look for look in self._seen if look.kl <= self._settings.kl_budget and look.update not in self._fallen
        ]
        return max(allowed, key=lambda look: fmean(look.judged), default=None)

    def add(self, look: Look) -> Fall | None:
        """Take one more look into account; return the fall on the slice that has shown one longest, if there is any."""
        falls = {kind: fall for kind in self._slices if (fall := self._fall(look, kind))}
        self._seen.append(look)
        self._shown = {kind: count + 1 if kind in falls else 0 for kind, count in self._shown.items()}
        if falls:
            self._fallen.add(look.update)
        if look.kl > self._settings.kl_budget:
            self.reason = "kl"
        elif self.shown >= self._settings.patience:
            self.reason = "judge"
        longest = [fall for kind, fall in falls.items() if self._shown[kind] == self.shown]
        return min(longest, key=lambda fall: fall.judged.estimate, default=None)

    def rows(self, kind: str) -> list[int]:
        """The prompts of a slice, as rows of a look."""
        return self._slices[kind]

    @property
    def kinds(self) -> list[str]:
        """The slices' names, without that of all prompts."""
        return [kind for kind in self._slices if kind != ALL]

    def _fall(self, look: Look, kind: str) -> Fall | None:
        rows = self._slices[kind] or range(len(look.judged))
        now = _only(look, rows)
        since = [
            Fall(
                old.update,
                rise(_only(old, rows).scores, now.scores),
                rise(_only(old, rows).judged, now.judged, self._confidence),
                kind,
            )
            for old in self._seen
        ]
        shown = [fall for fall in since if fall.scores.low > 0 > fall.judged.high]
        return min(shown, key=lambda fall: fall.judged.estimate, default=None)

    def state(self) -> dict[str, Any]:
        """What a step checkpoint keeps of it."""
        return {"seen": [tuple(look) for look in self._seen], "shown": self._shown, "fallen": sorted(self._fallen)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to what a step checkpoint kept."""
        self._seen = [Look(*look) for look in state["seen"]]
        self._shown = dict(state["shown"])
        self._fallen = set(state["fallen"])


def _only(look: Look, rows: Sequence[int]) -> Look:
    return look._replace(scores=[look.scores[row] for row in rows], judged=[look.judged[row] for row in rows])
