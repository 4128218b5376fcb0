"""The evaluation report: one flat list of rows, from which the metrics file, the table and the plots are made."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TypeVar, get_args

from stemma.evaluation.intervals import Interval
from stemma.records import answer_examples
from stemma.records.answer_examples import ANSWERS, AnswerExamples
from stemma.records.counting import counted
from stemma.records.json_file import write_json
from stemma.records.types import Record

S = TypeVar("S", bound=str)

Mode = Literal["sampled", "greedy"]
"""How answers are drawn: at temperature 1, or always the likeliest token."""

Policy = Literal["sft", "tuned"]
"""The policy before the tuning, and the one after it."""

WITH_ENDS = ("win_rate", "kl")
"""Metrics whose interval's ends go to the metrics file too; in the report every row has them."""


class Row(Record):
    """One number about one policy's answers, with its 95 % interval over `n` prompts."""

    mode: Mode
    policy: Policy
    metric: str
    estimate: float
    low: float
    high: float
    n: int

    @property
    def name(self) -> str:
        """Its metric name: bare for the tuned policy's samples, else with `sft/` and `greedy/` before it."""
        policy = "sft/" if self.policy == "sft" else ""
        return policy + ("greedy/" if self.mode == "greedy" else "") + self.metric


class Report(Record):
    """What an evaluation found."""

    tuned: str
    """The stage that made the tuned policy: ppo or dpo."""
    judge: str
    """Who scored: gold or reward_model."""
    split: str
    prompts: int
    samples: int
    """Answers sampled at temperature 1 for each prompt; greedy answers are one a prompt."""
    rows: tuple[Row, ...]

    def row(self, mode: str, policy: Policy, metric: str) -> Row | None:
        """The row of that mode, policy and metric, where the report has it."""
        wanted = (mode, policy, metric)
        return next((row for row in self.rows if (row.mode, row.policy, row.metric) == wanted), None)


def rows_of(mode: Mode, policy: Policy, intervals: Mapping[str, Interval]) -> list[Row]:
    """Rows from named intervals."""
    return [
        Row(mode=mode, policy=policy, metric=metric, **interval._asdict()) for metric, interval in intervals.items()
    ]


def flat_metrics(report: Report) -> dict[str, float]:
    """The numbers for metrics/<stage>.json, by metric name; win rates and the KL bring `_low` and `_high` along."""
    metrics = {}
    for row in report.rows:
        metrics[row.name] = row.estimate
        if row.metric.endswith(WITH_ENDS):
            metrics |= {f"{row.name}_low": row.low, f"{row.name}_high": row.high}
    return metrics


def markdown(report: Report, answers: AnswerExamples) -> str:
    """The page for people: a line a metric, a column a policy, each number with its 95 % interval; then answers."""
    name = report.tuned.upper()
    lines = [
        f"# {name} against SFT",
        "",
        f"{counted(report.prompts, 'prompt')} of split `{report.split}`, scored by "
        + ("the gold rule." if report.judge == "gold" else "the judge's reward model.")
        + f" Sampled: {counted(report.samples, 'answer')} a prompt at temperature 1; greedy: one."
        + " Brackets: 95 % intervals.",
    ]
    for mode in _ordered(row.mode for row in report.rows):
        lines += ["", f"| {mode} | SFT | {name} |", "|---|---|---|"]
        for metric in _ordered(row.metric for row in report.rows if row.mode == mode):
            sft, tuned = (_cell(report.row(mode, policy, metric)) for policy in get_args(Policy))
            lines.append(f"| {metric} | {sft} | {tuned} |")
    lines += ["", "## Answers before and after", "", answer_examples.markdown(answers)]
    return "\n".join(lines) + "\n"


def write_report(folder: Path, report: Report, answers: AnswerExamples) -> None:
    """Write report.json, answers.json and report.md."""
    write_json(folder / "report.json", report.model_dump())
    write_json(folder / ANSWERS, answers.model_dump())
    (folder / "report.md").write_text(markdown(report, answers), encoding="utf-8")


def _ordered(items: Iterable[S]) -> list[S]:
    return list(dict.fromkeys(items))


def _cell(row: Row | None) -> str:
    return "" if row is None else f"{row.estimate:.3f} [{row.low:.3f}, {row.high:.3f}]"
