"""What several votes on a pair amount to, each labeller's by how often they are right, told from the votes alone.

Dawid and Skene 1979, section 3, found by EM. Which of two answers is called first says nothing, so a labeller has one
chance of being right, whichever answer is the better one, and each answer is as likely to be better beforehand.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stemma.labelling.quality.votes import Labeller, VotedPair

PRIOR_RIGHT, PRIOR_WRONG = 4.0, 1.0
"""What is held of a labeller before any vote, as if so many votes were seen: people who judged the same answers agreed
in 73 % of pairs (Ouyang et al. 2022, section 3.4), as they do where each is right in 84 %."""
TOLERANCE = 1e-9
MOST_STEPS = 2000

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DawidSkene:
    """What was found."""

    first: tuple[float | None, ...]
    """Each pair's chance that its first answer is the better one; None without a vote."""
    accuracy: dict[Labeller, float]
    """Each labeller's chance of being right where they have a preference; below ½ they are read the other way round."""
    log_posterior: tuple[float, ...]
    """After each step: the votes' log-likelihood and the prior's, in nats, up to a constant."""


def dawid_skene(pairs: Sequence[VotedPair]) -> DawidSkene:
    """Find how likely each pair's first answer is the better one.

    A vote counts by its weight and by how sure it is, |2p − 1|; one without a preference does not count. EM begins with
    all labellers held for equally good, so with the majority, and that settles which labels are right side up.
    """
    labellers = sorted({vote.labeller for pair in pairs for vote in pair.votes})
    votes = _Votes(pairs, labellers)
    prior = PRIOR_RIGHT / (PRIOR_RIGHT + PRIOR_WRONG)
    accuracy, steps = np.full(len(labellers), prior), [-np.inf]
    while len(steps) < MOST_STEPS:
        steps.append(votes.log_posterior(accuracy))
        if steps[-1] - steps[-2] < TOLERANCE * max(1.0, abs(steps[-1])):
            break
        accuracy = votes.accuracy(votes.first(accuracy))
    first = votes.first(accuracy).tolist()
    voted = [bool(pair.votes) for pair in pairs]
    return DawidSkene(
        tuple(chance if some else None for chance, some in zip(first, voted, strict=True)),
        dict(zip(labellers, accuracy.tolist(), strict=True)),
        tuple(steps[1:]),
    )


class _Votes:
    """All votes as columns, and the two steps of EM over them."""

    def __init__(self, pairs: Sequence[VotedPair], labellers: Sequence[Labeller]) -> None:
        number = {labeller: place for place, labeller in enumerate(labellers)}
        rows = [(place, number[vote.labeller], vote.lean) for place, pair in enumerate(pairs) for vote in pair.votes]
        self._pair = np.array([row[0] for row in rows], dtype=np.int64)
        self._labeller = np.array([row[1] for row in rows], dtype=np.int64)
        lean = np.array([row[2] for row in rows], dtype=np.float64)
        self._for_first, self._weight = lean > 0, np.abs(lean)
        self._pairs, self._labellers = len(pairs), len(labellers)

    def first(self, accuracy: Floats) -> Floats:
        """The E step: each pair's chance that its first answer is the better one."""
        first, second = self._log_likelihoods(accuracy)
        return np.asarray(np.exp(first - np.logaddexp(first, second)))

    def accuracy(self, first: Floats) -> Floats:
        """The M step: each labeller's share of right votes, with the prior's."""
        right = np.where(self._for_first, first[self._pair], 1 - first[self._pair]) * self._weight
        rights = np.bincount(self._labeller, right, self._labellers)
        given = np.bincount(self._labeller, self._weight, self._labellers)
        return np.asarray((PRIOR_RIGHT + rights) / (PRIOR_RIGHT + PRIOR_WRONG + given))

    def log_posterior(self, accuracy: Floats) -> float:
        """What EM never lowers."""
        first, second = self._log_likelihoods(accuracy)
        prior = PRIOR_RIGHT * np.log(accuracy) + PRIOR_WRONG * np.log(1 - accuracy)
        return float((np.logaddexp(first, second) - np.log(2)).sum() + prior.sum())

    def _log_likelihoods(self, accuracy: Floats) -> tuple[Floats, Floats]:
        """Of each pair's votes, if its first answer is the better one, and if its second is."""
        right, wrong = np.log(accuracy)[self._labeller], np.log(1 - accuracy)[self._labeller]
        if_first = np.where(self._for_first, right, wrong) * self._weight
        if_second = np.where(self._for_first, wrong, right) * self._weight
        first, second = (np.bincount(self._pair, column, self._pairs) for column in (if_first, if_second))
        return np.asarray(first), np.asarray(second)
