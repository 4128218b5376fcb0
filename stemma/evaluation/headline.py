"""What DVC shows of an evaluation: a few numbers and one plot, under the same names for every method."""

import csv
from collections.abc import Mapping
from pathlib import Path

from stemma.evaluation.report import Report
from stemma.records.json_file import write_json

METRICS_FILE = Path("metrics/eval.json")
PLOT_FILE = Path("metrics/plots/eval.csv")
HEADLINE = (
    "gold/win_rate",
    "judge/win_rate",
    "gold/mean",
    "gold/accuracy",
    "gold/hallucination",
    "gold/abstention",
    "gold/refusal",
    "response/length",
    "objective/kl",
)
"""The metrics of `dvc exp show`, where the data has them; all others are in metrics/eval_<method>.json."""


def headline(metrics: Mapping[str, float]) -> dict[str, float]:
    """The headline numbers among an evaluation's metrics."""
    return {name: round(metrics[name], 6) for name in HEADLINE if name in metrics}


def write_for_dvc(root: Path, report: Report, metrics: Mapping[str, float]) -> None:
    """Write metrics/eval.json and the plot of the same numbers, SFT beside the tuned policy, with 95 % intervals."""
    (root / PLOT_FILE).parent.mkdir(parents=True, exist_ok=True)
    write_json(root / METRICS_FILE, headline(metrics))
    with (root / PLOT_FILE).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["metric", "policy", "estimate", "low", "high"])
        for row in report.rows:
            if row.mode == "sampled" and row.metric in HEADLINE:
                ends = (f"{number:.6g}" for number in (row.estimate, row.low, row.high))
                writer.writerow([row.metric, "SFT" if row.policy == "sft" else "tuned", *ends])
