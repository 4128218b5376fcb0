"""Does a policy get better from round to round, and does the gate stop a bad round? On the default world.

    python -m benchmarks.rounds [--rounds 3] [--set KEY=VALUE …]

Makes a first policy and promotes it, runs some rounds of `stemma run retrain`, each from the champion that the one
before left, and then two bad ones: one whose labels are nearly all wrong, which the gates must refuse, and one that
optimises too hard (no KL charge, a high learning rate), which the watch over PPO must stop. Run it in a clone of its
own: it moves the champion. Runs are named rounds-… ; what a killed benchmark has finished is not computed again.

Prints each round's win rate by the gold rule, against the policy that it started from and against the first SFT policy,
and draws them in docs/images/rounds.png. Intervals are 95 %, over prompts; they say nothing of another seed.

Ends with status 1 where the first bad round is not refused or the second not stopped, or no round was promoted.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.quality import aligned
from stemma.evaluation.intervals import Interval
from stemma.evaluation.win_rate import win_rate
from stemma.lineage.index import open_index
from stemma.lineage.names import find_model
from stemma.lineage.store import Store
from stemma.promotion.evidence import Scores, evidence_of

ROOT = Path(__file__).resolve().parents[1]
STEMMA = [sys.executable, "-m", "stemma"]
PLOT = ROOT / "docs" / "images" / "rounds.png"
FLIPPED = (
    "label.annotators=[{name: mallory, noise: 0.95}]",
    "label.overlap_share=0",
    "label.earlier_decay=0",
    "round.warm_start=false",
    "ppo.watch.every=0",
)
"""Labels that are nearly all the wrong way round, nothing of earlier rounds beside them, and nobody who watches PPO."""
OVER_OPTIMISED = (
    "round.goes_on_from=champion",
    "ppo.kl_coef=0",
    "ppo.learning_rate=0.001",
    "ppo.value_learning_rate=0.001",
    "ppo.updates=50",
    "ppo.watch.every=2",
)
"""Nothing holds PPO near the policy that it started from; the flipped labels of the round before are left out."""
SMALL_STEPS = ("ppo.updates=12", "sample.responses=4", "sample.pairs=null", "reward.epochs=1")
"""With the default 50 updates the first policy's gold score is 0.54 of at most 0.6, which leaves a round little to
learn, and its two answers to a prompt are so often alike that few pairs are left to label. Four answers give six pairs,
and one epoch of those is more steps than three of the default's."""
HEADER = (
    "round",
    "from",
    "made",
    "labels",
    "against its parent",
    "against the first SFT",
    "gold score",
    "KL",
    "verdict",
)


class Point(NamedTuple):
    """One policy of the benchmark."""

    title: str
    against_parent: Interval
    against_sft: Interval
    promoted: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything, print the table, draw it, and return the exit status."""
    parser = argparse.ArgumentParser(description="Does a policy get better from round to round?")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of every run")
    options = parser.parse_args(arguments)
    stamp = time.strftime("%m%d-%H%M%S")
    first = f"rounds-first-{stamp}"
    settings = [*SMALL_STEPS, *options.set]
    run("rlhf", first, settings)
    subprocess.run([*STEMMA, "promote", first, "--reason", "the first policy"], cwd=ROOT, check=True)
    good = [f"rounds-{number}-{stamp}" for number in range(1, options.rounds + 1)]
    for name in good:
        run("retrain", name, settings)
    bad, over = f"rounds-flipped-{stamp}", f"rounds-over-{stamp}"
    run("retrain", bad, [*settings, *FLIPPED])
    run("retrain", over, [*settings, *OVER_OPTIMISED])
    told = {one["run"]: one for one in rounds_told()}
    points, stopped = measured([first, *good, bad, over], told), words_of_the_watch(over)
    print("\n" + "\n".join(aligned([HEADER, *rows(points, [told[name] for name in (*good, bad, over)])])))
    print(f"\nKL coefficient 0: {stopped or 'the watch did not stop it'}")
    draw(points)
    promoted = any(told[name]["verdict"] == "promoted" for name in good)
    return 0 if promoted and told[bad]["verdict"] == "refused" and stopped else 1


def run(flow: str, name: str, settings: Sequence[str]) -> None:
    """Run a flow to its end."""
    changes = [word for setting in settings for word in ("--set", setting)]
    subprocess.run([*STEMMA, "run", flow, *changes, "--name", name], cwd=ROOT, check=True)


def rounds_told() -> list[dict[str, Any]]:
    """What `stemma rounds` tells."""
    shown = subprocess.run([*STEMMA, "rounds", "--json"], cwd=ROOT, check=True, capture_output=True, text=True)
    told: list[dict[str, Any]] = json.loads(shown.stdout)
    return told


def measured(runs: Sequence[str], told: dict[str, dict[str, Any]]) -> list[Point]:
    """Each run's policy against its parent and against the SFT policy of the first run, on the same prompts."""
    points: list[Point] = []
    with closing(open_index(ROOT)) as index, Store(ROOT) as store:
        found = [evidence_of(index, store, find_model(ROOT, index, name)) for name in runs]
    for name, evidence in zip(runs, found, strict=True):
        title = f"round {told[name]['number']}" if name in told else "first policy"
        title += ", flipped labels" if "flipped" in name else ", KL coefficient 0" if "over" in name else ""
        promoted = name not in told or told[name]["verdict"] == "promoted"
        against = beats(evidence.tuned, evidence.sft), beats(evidence.tuned, found[0].sft)
        points.append(Point(title, *against, promoted))
    return points


def words_of_the_watch(run: str) -> str:
    """Why the watch stopped a run's PPO; empty where it did not."""
    with closing(open_index(ROOT)) as index, Store(ROOT) as store:
        watched = store.read(find_model(ROOT, index, run).derivation.artifact, "watch.json")
    return str(json.loads(watched or "{}").get("message", ""))


def beats(ours: Scores, theirs: Scores) -> Interval:
    """How often one policy's answers score above the other's to the same prompt."""
    ids = sorted(ours)
    return win_rate([ours[key] for key in ids], [theirs[key] for key in ids]).interval


def rows(points: Sequence[Point], told: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """The table's lines: the first policy's, then a line a round."""
    lines = [("–", "SFT", "policy/1", "", *map(shown, points[0][1:3]), "", "", "promoted")]
    for point, one in zip(points[1:], told, strict=True):
        labels = " + ".join(f"{part['weight']:g}" for part in one["labels"])
        gold, kl = (f"{one['metrics'][name]:.3f}" for name in ("gold/mean", "objective/kl"))
        place = (str(one["number"]), one["parent"], one["version"], labels)
        lines.append((*place, shown(point.against_parent), shown(point.against_sft), gold, kl, one["verdict"]))
    return lines


def shown(interval: Interval) -> str:
    """An estimate with its interval."""
    return f"{interval.estimate:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def draw(points: Sequence[Point]) -> None:
    """Draw both win rates by round; a hollow mark is a policy that was refused."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    series = {
        "against the policy it started from": [point.against_parent for point in points],
        "against the first SFT policy": [point.against_sft for point in points],
    }
    for shift, (label, intervals) in enumerate(series.items()):
        for place, (point, one) in enumerate(zip(points, intervals, strict=True)):
            axes.errorbar(
                place + 0.12 * shift - 0.06,
                one.estimate,
                yerr=[[one.estimate - one.low], [one.high - one.estimate]],
                fmt="os"[shift],
                color=f"C{shift}",
                mfc=f"C{shift}" if point.promoted else "white",
                capsize=3,
                label=label if place == 0 else None,
            )
    axes.axhline(0.5, color="grey", linewidth=0.8)
    axes.set_xticks(range(len(points)), [point.title.replace(", ", ",\n") for point in points])
    axes.set_ylabel("win rate by the gold rule")
    axes.set_ylim(0, 1)
    axes.set_title("Rounds of retraining on the default world (hollow: refused)")
    axes.legend(loc="lower left")
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PLOT, dpi=200, metadata={"Software": None})


if __name__ == "__main__":
    sys.exit(main())
