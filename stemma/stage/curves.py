"""What `dvc plots` draws of a stage's training: its main numbers by step, few enough points for Git to hold.

Every file has lines of step, series and value, so that one template of .dvc/plots draws all of them.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

Points = Sequence[tuple[float, str, float]]
"""Step, series and value."""

PLOTS = Path("metrics/plots")
DRAWN = ("base", "sft", "reward", "ppo", "dpo")
"""The stages whose training is drawn."""
MOST_POINTS = 200
"""Points a curve has at most; a picture shows no more."""
SHOWN = (
    "loss", "probe_accuracy", "token_accuracy", "accuracy", "margin", "rewards/margins", "rewards/accuracies",
    "objective/scores", "objective/kl", "objective/entropy", "value/explained_variance", "policy/clip_fraction",
)  # fmt: skip
"""The metrics that are drawn, in this order; the rest are in history.csv."""


NOTHING: Points = [(0.0, "nothing was recorded", 0.0)]
"""Drawn of a base that was fetched: DVC makes a broken picture of an empty file."""
SCORERS = {"reward model": "watch/scores", "judge": "watch/judge"}


def write_plots(stage: str, rows: Sequence[Mapping[str, float]]) -> None:
    """Write what is drawn of a stage's history into metrics/plots, where the stage is one that is drawn."""
    if stage in DRAWN:
        _write(PLOTS / f"{stage}.csv", curves(rows) or NOTHING)
    if stage == "ppo":
        _write(PLOTS / "over_optimization.csv", score_gains(rows) or NOTHING)


def curves(rows: Sequence[Mapping[str, float]]) -> Points:
    """The shown metrics of a history, thinned to MOST_POINTS points each."""
    points = []
    for name in SHOWN:
        having = [(row["step"], name, row[name]) for row in rows if name in row]
        points += having[:: -(-len(having) // MOST_POINTS) or 1]
    return points


def score_gains(rows: Sequence[Mapping[str, float]]) -> Points:
    """How far PPO's policy has risen on the validation prompts, by its reward model and by the judge.

    A gain is the mean score less that of the SFT policy, as a share of the largest such difference of the same scorer:
    their scales differ, and only their directions can be compared. Where the reward model's goes on rising and the
    judge's falls, the policy exploits the reward model.
    """
    points = []
    for series, name in SCORERS.items():
        scores = [(row["step"], row[name]) for row in rows if name in row]
        largest = max((abs(score - scores[0][1]) for _, score in scores), default=0.0) or 1.0
        points += [(step, series, (score - scores[0][1]) / largest) for step, score in scores]
    return points


def _write(file: Path, points: Points) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["step", "series", "value"])
        writer.writerows((f"{step:g}", series, f"{value:.6g}") for step, series, value in points)
