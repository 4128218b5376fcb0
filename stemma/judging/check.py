"""A judge against people on the same pairs: agreement, leanings, self-consistency, calibration."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from stemma.evaluation.intervals import Interval, wilson
from stemma.judging.case import Case, Opinion
from stemma.records.types import Verdict

BINS = 10


@dataclass(frozen=True)
class Asked:
    """One answer of the judge about a pair."""

    order: str
    first: float
    """Chance that the pair's first answer is better, whichever was shown first."""
    member: str = ""
    """Which member of a panel gave it."""


@dataclass(frozen=True)
class Trial:
    """One pair that both people and the judge compared."""

    first: str
    second: str
    people: float
    """Share of people who prefer the first answer; a tie counts a half."""
    judge: float
    """The judge's chance that it is better."""
    asked: tuple[Asked, ...]
    """The single answers that the judge's is the mean of; none for a judge that is not asked in orders."""


@dataclass(frozen=True)
class Bin:
    """The pairs that the judge is about equally sure of."""

    pairs: int
    judge: float
    """Mean of the judge's chances."""
    people: float
    """Mean of people's shares."""


@dataclass(frozen=True)
class Check:
    """What a judge is worth against people."""

    pairs: int
    """Pairs that both compared and people did not call equal."""
    people_ties: int
    """Pairs left out because people called them equal."""
    agreement: Interval | None
    """Share of pairs on which both prefer the same answer; a tie of the judge's counts a half."""
    flips: Interval | None
    """Share of pairs whose verdict changes with the order in which the answers are shown."""
    shown_first: Interval | None
    """Share of single answers that prefer what was shown first; a half is without bias."""
    judge_longer: Interval | None
    """Share of pairs on which the judge prefers the longer answer."""
    people_longer: Interval | None
    """Share of pairs on which people do."""
    consistency: Interval | None
    """Share of prompts asked several times that got the same verdict each time."""
    calibration_error: float | None
    """Expected calibration error (Guo et al. 2017, eq. 3): Σ n_b/n · |judge_b − people_b| over the bins."""
    bins: tuple[Bin | None, ...]
    """Ten equal steps of the judge's chance that the first answer is better; None where no pair falls."""


def trial_of(case: Case, opinion: Opinion, people: float) -> Trial:
    """A case that was judged, with what people say of it."""
    return Trial(case.first.text, case.second.text, people, opinion.probability, _asked(opinion.origin))


def trial_of_verdict(verdict: Verdict, people: float) -> Trial:
    """A judge's verdict on record, with what people say of the same pair in the verdict's order."""
    fixed = {"first": 1.0, "second": 0.0}.get(verdict.choice, 0.5)
    chance = fixed if verdict.probability is None else verdict.probability
    return Trial(verdict.first, verdict.second, people, chance, _asked(verdict.origin or {}))


def check(trials: Sequence[Trial]) -> Check:
    """Measure a judge on pairs that people compared too."""
    told = [trial for trial in trials if trial.people != 0.5]
    longer = [trial for trial in told if len(trial.first) != len(trial.second)]
    bins = _bins(told)
    gaps = [kept.pairs / len(told) * abs(kept.judge - kept.people) for kept in bins if kept]
    return Check(
        pairs=len(told),
        people_ties=len(trials) - len(told),
        agreement=_share(side(trial.judge) if trial.people > 0.5 else 1 - side(trial.judge) for trial in told),
        flips=_share(_flips(told)),
        shown_first=_share(_shown_first(told)),
        judge_longer=_share(_for_longer(trial, trial.judge) for trial in longer),
        people_longer=_share(_for_longer(trial, trial.people) for trial in longer),
        consistency=_share(_same(told)),
        calibration_error=sum(gaps) if gaps else None,
        bins=bins,
    )


def as_values(checked: Check) -> dict[str, Any]:
    """The numbers as plain values, rounded to six digits."""
    return {name: _plain(value) for name, value in vars(checked).items()}


def side(chance: float) -> float:
    """1 where the first answer is preferred, 0 where the second is, a half for neither."""
    return 0.5 if chance == 0.5 else float(chance > 0.5)


def _asked(origin: dict[str, Any]) -> tuple[Asked, ...]:
    """The single answers on record, a panel's members' among them."""
    told = {"": origin, **origin.get("members", {})}
    return tuple(
        Asked(row["order"], row["probability"], name) for name, one in told.items() for row in one.get("orders", [])
    )


def _share(values: Iterable[float]) -> Interval | None:
    listed = list(values)
    return wilson(sum(listed), len(listed)) if listed else None


def _flips(trials: Iterable[Trial]) -> list[float]:
    sides = [[side(mean) for mean in _by_order(trial).values()] for trial in trials]
    return [float(len(set(both)) > 1) for both in sides if len(both) > 1]


def _by_order(trial: Trial) -> dict[str, float]:
    orders = dict.fromkeys(asked.order for asked in trial.asked)
    return {order: fmean(asked.first for asked in trial.asked if asked.order == order) for order in orders}


def _shown_first(trials: Iterable[Trial]) -> list[float]:
    answers = [asked for trial in trials for asked in trial.asked]
    return [side(asked.first) if asked.order == "first_second" else 1 - side(asked.first) for asked in answers]


def _for_longer(trial: Trial, chance: float) -> float:
    return side(chance) if len(trial.first) > len(trial.second) else 1 - side(chance)


def _same(trials: Iterable[Trial]) -> list[float]:
    same = []
    for trial in trials:
        prompts: dict[tuple[str, str], list[float]] = {}
        for asked in trial.asked:
            prompts.setdefault((asked.member, asked.order), []).append(side(asked.first))
        same += [float(len(set(sides)) == 1) for sides in prompts.values() if len(sides) > 1]
    return same


def _bins(trials: Sequence[Trial]) -> tuple[Bin | None, ...]:
    rows: list[list[Trial]] = [[] for _ in range(BINS)]
    for trial in trials:
        rows[min(int(trial.judge * BINS), BINS - 1)].append(trial)
    return tuple(
        Bin(len(row), fmean(trial.judge for trial in row), fmean(trial.people for trial in row)) if row else None
        for row in rows
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Interval):
        return {name: _plain(number) for name, number in value._asdict().items()}
    if isinstance(value, Bin):
        return {name: _plain(number) for name, number in vars(value).items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return round(value, 6) if isinstance(value, float) else value
