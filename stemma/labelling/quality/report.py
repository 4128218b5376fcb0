"""Everything that can be told of verdicts, as plain values for a report."""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from stemma.evaluation.intervals import Interval
from stemma.labelling.quality.agreement import alpha, kappas
from stemma.labelling.quality.confusion import confusions
from stemma.labelling.quality.dawid_skene import dawid_skene
from stemma.labelling.quality.leanings import Leanings, leanings
from stemma.labelling.quality.votes import Labeller, VotedPair, labeller_of
from stemma.records.types import Verdict


def quality_report(pairs: Sequence[VotedPair], seed: int) -> dict[str, Any]:
    """What was said, how far labellers agree, what each of them leans to, and how many labels may be wrong.

    `disagreement` is the share of couples of verdicts on one pair that prefer different answers, and the chance that a
    verdict is wrong which it speaks of. What cannot be told without overlap is None.
    """
    verdicts = [verdict for pair in pairs for verdict in pair.verdicts]
    disagreed, couples = _disagreements(pairs)
    return {
        "choices": dict(sorted(Counter(verdict.choice for verdict in verdicts).items())),
        "alpha": as_values(alpha(pairs, seed)),
        "kappa": [
            {"labellers": [_title(one), _title(other)], **(as_values(kappa) or {})}
            for (one, other), kappa in kappas(pairs, seed).items()
        ],
        "disagreement": {
            "couples": couples,
            "share": round(disagreed / couples, 6) if couples else None,
            "verdicts_wrong": _error_share(disagreed / couples) if couples else None,
        },
        "labellers": _labellers(pairs, verdicts),
        "leanings": _leanings(leanings(verdicts)),
    }


def as_values(interval: Interval | None) -> dict[str, float] | None:
    """An interval for a report."""
    if interval is None:
        return None
    ends = {"estimate": interval.estimate, "low": interval.low, "high": interval.high}
    return {name: round(value, 6) for name, value in ends.items()} | {"n": interval.n}


def _labellers(pairs: Sequence[VotedPair], verdicts: Sequence[Verdict]) -> dict[str, dict[str, Any]]:
    by_labeller: dict[Labeller, list[Verdict]] = {}
    for verdict in verdicts:
        by_labeller.setdefault(labeller_of(verdict), []).append(verdict)
    against, accuracy = confusions(pairs), dawid_skene(pairs).accuracy
    return {
        _title(labeller): {
            "verdicts": len(own),
            "choices": dict(sorted(Counter(verdict.choice for verdict in own).items())),
            "against_others": against[labeller].counts if labeller in against else {},
            "agreement": as_values(against[labeller].agreement) if labeller in against else None,
            "accuracy": round(accuracy[labeller], 6) if labeller in against else None,
            **_leanings(leanings(own)),
        }
        for labeller, own in sorted(by_labeller.items())
    }


def _leanings(found: Leanings) -> dict[str, Any]:
    return {name: as_values(share) for name, share in found._asdict().items()}


def _title(labeller: Labeller) -> str:
    return labeller.name if labeller.kind == "annotator" else f"{labeller.name} (judge)"


def _disagreements(pairs: Sequence[VotedPair]) -> tuple[int, int]:
    """How many couples of votes on one pair prefer different answers, and how many prefer one at all."""
    disagreed = couples = 0
    for pair in pairs:
        for one, other in combinations([vote.choice for vote in pair.votes if vote.lean], 2):
            couples += 1
            disagreed += one != other
    return disagreed, couples


def _error_share(disagreement: float) -> float:
    """The chance ε that a verdict is wrong, from d = 2ε(1 − ε) for two who err alike and independently."""
    return round((1 - math.sqrt(max(0.0, 1 - 2 * disagreement))) / 2, 6)
