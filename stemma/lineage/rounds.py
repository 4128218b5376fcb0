"""The rounds of retraining on record: what each started from, the labels it used, and what became of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stemma.lineage.chain import Link
from stemma.lineage.index import Index
from stemma.lineage.registry import Registry
from stemma.lineage.runs import EVALUATION, Run
from stemma.lineage.show import aligned

FLOW = "retrain"
WIN_RATES = ("gold/win_rate", "judge/win_rate")
"""The evaluation's win rate against the policy that the round started from: by the gold rule or by the judge."""


@dataclass(frozen=True)
class Labels:
    """Pairs that a round learned from."""

    age: int
    """Rounds ago that they were labelled; 0 are the round's own."""
    pairs: int
    weight: float
    """What they weighed together, in pairs of the round's own."""


@dataclass(frozen=True)
class Round:
    """One finished round."""

    number: int
    run: str
    parent: str
    """The version that it started from."""
    version: str
    """The version that it made; empty where it was not registered."""
    method: str
    labels: tuple[Labels, ...]
    metrics: dict[str, float]
    """Of its evaluation."""
    verdict: str
    """promoted, refused, or kept where nobody has asked yet whether it may serve."""
    why: tuple[str, ...]
    """The reason of the promotion, or what each gate that refused it found."""


def labels_trailer(counts: Iterable[Mapping[str, float]]) -> str:
    """Pairs by age as a run's commit has them: `0=2550/2550 1=2550/1275`, after each age pairs and weight."""
    return " ".join(f"{one['age']:g}={one['pairs']}/{one['weight']}" for one in counts)


def rounds_of(root: Path, index: Index, model: str) -> list[Round]:
    """The rounds of a registered model, oldest first."""
    runs = [run for run in index.runs() if run.flow == FLOW and run.trailers["Parent"].startswith(f"{model}/")]
    acts = Registry(root, model).acts()
    return [_round(run, model, acts) for run in reversed(runs)]


def as_json(rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """The rounds as plain values."""
    return [asdict(one) for one in rounds]


def page(rounds: Sequence[Round]) -> str:
    """The rounds for people: a line each, and below it why it was refused."""
    if not rounds:
        return "no rounds yet; `stemma run retrain` starts one from the champion"
    header = ["ROUND", "RUN", "FROM", "MADE", "METHOD", "LABELS", "WIN RATE", "GOLD", "KL", "VERDICT"]
    lines = aligned([header, *map(_cells, rounds)])
    told = lines[:1]
    for line, one in zip(lines[1:], rounds, strict=True):
        told += [line, *(f"       {why}" for why in one.why if one.verdict == "refused")]
    return "\n".join(told)


def _round(run: Run, model: str, acts: Sequence[Link]) -> Round:
    stage, _, _ = run.trailers["Policy"].partition("=")
    number = next((link.act["version"]["number"] for link in acts if _registers(link, run.commit)), None)
    verdict, why = _verdict(number, acts)
    return Round(
        int(run.trailers["Round"]),
        run.name,
        run.trailers["Parent"],
        f"{model}/{number}" if number else "",
        run.trailers["Method"],
        tuple(map(_labels, run.trailers["Labels"].split())),
        run.metrics.get(f"{EVALUATION}{stage}", {}),
        verdict,
        why,
    )


def _registers(link: Link, commit: str) -> bool:
    return bool(link.act["act"] == "register" and link.act["version"]["commit"] == commit)


def _verdict(number: int | None, acts: Sequence[Link]) -> tuple[str, tuple[str, ...]]:
    """What the newest act on a version says."""
    for link in reversed(acts):
        if link.act.get("to") == number and link.act["act"] == "promote":
            return "promoted", (link.act["reason"],)
        if link.act.get("to") == number and link.act["act"] == "refuse":
            return "refused", tuple(f"{g['name']}: {g['words']}" for g in link.act["gates"] if not g["passed"])
    return "kept", ()


def _labels(text: str) -> Labels:
    age, _, rest = text.partition("=")
    pairs, _, weight = rest.partition("/")
    return Labels(int(age), int(pairs), float(weight))


def _cells(one: Round) -> list[str]:
    fresh, *earlier = (f"{labels.weight:g}" for labels in one.labels)
    win = next((name for name in WIN_RATES if name in one.metrics), "")
    shown = (
        f"{one.metrics[win]:.3f} [{one.metrics[f'{win}_low']:.3f}, {one.metrics[f'{win}_high']:.3f}]" if win else "–"
    )
    gold, kl = (f"{one.metrics[name]:.3f}" if name in one.metrics else "–" for name in ("gold/mean", "objective/kl"))
    labels = " + ".join([fresh, *earlier])
    return [str(one.number), one.run, one.parent, one.version, one.method, labels, shown, gold, kl, one.verdict]
