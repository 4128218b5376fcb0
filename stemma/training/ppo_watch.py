"""Reward hacking watched while it trains: looks at held-out answers, and which policy a stopped run leaves.

A run that is not stopped leaves its last policy, whatever the looks showed.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from torch import Tensor
from transformers import PreTrainedTokenizerBase

from stemma.records.json_file import write_json
from stemma.sampling.decoding import Decoding
from stemma.sampling.rollouts import PpoModels
from stemma.slice_metrics import metric_part
from stemma.stage.door import Stage
from stemma.stage.rank import is_first
from stemma.training.ppo_learner import Learner
from stemma.training.ppo_probe import Probe, load_probe
from stemma.training.ppo_settings import PpoSettings
from stemma.training.ppo_stop_rule import Fall, Look, Reason, StopRule
from stemma.training.ppo_watch_settings import WatchSettings, updates_to_look_after
from stemma.training.trained_weights import copy_weights, trained_weights

CODES: dict[Reason, int] = {"": 0, "judge": 1, "kl": 2}
"""Why a run was stopped, as a number."""


class Watch:
    """Looks at the policy now and then; `updates` is how many there are in a run that is not stopped, and `warmup` how
    many of them, at the start, leave the policy as it is.
    """

    def __init__(self, probe: Probe, settings: WatchSettings, updates: int, warmup: int = 0) -> None:
        self._probe = probe
        self._settings = settings
        self._updates = updates
        self._due = frozenset(updates_to_look_after(settings, updates, warmup))
        self._rule = StopRule(settings, len(self._due), [prompt.kind for prompt in probe.prompts])
        self._best_weights: dict[str, Tensor] = {}
        self.message = ""
        """Why training is to stop, for people; empty while it may go on."""

    def look(self, learner: Learner, update: int) -> dict[str, float]:
        """Measure the policy after an update, 0 before the first, and return the metrics; none where no look is due."""
        if update not in self._due:
            return {}
        look, metrics = self._probe.ask(learner, update)
        if not all(map(math.isfinite, metrics.values())):
            return metrics  # training diverged, as who logs them will say
        metrics |= self._by_slice(look)
        fall = self._rule.add(look)
        if self._rule.best is look:
            weights = trained_weights(learner.models.policy)
            self._best_weights = {name: weight.to("cpu", copy=True) for name, weight in weights.items()}
        self.message = self._message(look, fall)
        return metrics

    def put_back(self, learner: Learner) -> None:
        """Give the policy the weights that it had at the best look."""
        copy_weights(learner.models.policy, self._best_weights)

    @property
    def saved_update(self) -> int:
        """The update that made the policy which is saved."""
        return self._rule.best.update if self.message and self._rule.best else self._updates

    def write_outcome(self, file: Path) -> dict[str, float]:
        """Write whether training was stopped, why, and which policy was saved; return it as metrics."""
        outcome = {"stopped": self._rule.reason, "message": self.message, "saved_update": self.saved_update}
        judged = {"judge": self._probe.judge.kind, "prompts": [prompt.id for prompt in self._probe.prompts]}
        write_json(file, outcome | judged)
        return {"watch/stopped": CODES[self._rule.reason], "watch/saved_update": self.saved_update}

    def state(self) -> dict[str, Any]:
        """What a step checkpoint keeps of it."""
        return {"rule": self._rule.state(), "best_weights": self._best_weights}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to what a step checkpoint kept."""
        self._rule.restore(state["rule"])
        self._best_weights = dict(state["best_weights"])

    def _by_slice(self, look: Look) -> dict[str, float]:
        """The mean scores of each slice, by the reward model and by the judge."""
        metrics: dict[str, float] = {}
        for kind in self._rule.kinds:
            rows = self._rule.rows(kind)
            metrics[f"watch/slice/{metric_part(kind)}/scores"] = fmean(look.scores[row] for row in rows)
            metrics[f"watch/slice/{metric_part(kind)}/judge"] = fmean(look.judged[row] for row in rows)
        return metrics

    def _message(self, look: Look, fall: Fall | None) -> str:
        best, prompts = self._rule.best, len(self._probe.prompts)
        if not self._rule.reason or best is None:
            return ""
        why = (
            f"on {prompts} validation prompts the policy is {look.kl:.3g} nats an answer from its reference, and "
            f"ppo.watch.kl_budget is {self._settings.kl_budget:.3g}"
        )
        if self._rule.reason == "judge" and fall:
            scores, judged = fall.scores, fall.judged
            of_slice = f" of slice {fall.kind}" if fall.kind else ""
            why = (
                f"since update {fall.since} the reward model's score rose by {scores.estimate:.3g} (at least "
                f"{scores.low:.3g}) and the judge's fell by {-judged.estimate:.3g} (at least {-judged.high:.3g}) on "
                f"the same {judged.n} validation prompts{of_slice}, shown at {self._rule.shown} looks in a row"
            )
        return (
            f"the watch stops training after update {look.update} of {self._updates}: {why}. The policy of update "
            f"{best.update} is saved, the best by the judge ({fmean(best.judged):.3g}; reward model "
            f"{fmean(best.scores):.3g}, KL {best.kl:.3g})"
        )


def load_watch(
    models: PpoModels, tokenizer: PreTrainedTokenizerBase, decoding: Decoding, settings: PpoSettings, stage: Stage
) -> Watch | None:
    """The watch over a stage's training; None where it is switched off, and on every rank but the first, which looks
    for all. Raises DataError as load_probe does.
    """
    if not settings.watch.every or not is_first():
        return None
    probe = load_probe(models, tokenizer, decoding, settings, stage)
    return Watch(probe, settings.watch, settings.updates, settings.value_warmup_updates)
