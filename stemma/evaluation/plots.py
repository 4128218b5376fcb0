"""Pictures of an evaluation and of training curves; equal numbers give equal bytes."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from stemma.evaluation.report import Mode, Policy, Report

COLOURS: Mapping[Policy, str] = {"sft": "#9aa5b1", "tuned": "#2f6db3"}
BAR = 0.38
CURVE_COLUMNS = 3


def draw_metrics(report: Mapping[str, Any]) -> Figure:
    """Bars of every share between 0 and 1, SFT beside the tuned policy, with their 95 % intervals; a panel a mode.

    `report` is the content of a report.json.
    """
    content = Report.model_validate(report)
    modes = [mode for mode in get_args(Mode) if _shares(content, mode)]
    rows = max((len(_shares(content, mode)) for mode in modes), default=1)
    figure = _figure(5.5 * max(len(modes), 1), 1.5 + 0.5 * rows)
    for place, mode in enumerate(modes, start=1):
        _draw_mode(figure.add_subplot(1, len(modes), place), content, mode)
    if figure.axes:
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.suptitle(f"{content.tuned.upper()} against SFT, {content.prompts} prompts of split {content.split}")
    return figure


def draw_history(file: Path) -> Figure:
    """The curves of a history.csv: a panel a column over the steps."""
    steps, curves = _read_history(file)
    lines = -(-len(curves) // CURVE_COLUMNS)
    figure = _figure(4 * CURVE_COLUMNS, 2.4 * max(lines, 1))
    for place, (name, values) in enumerate(curves.items(), start=1):
        axes = figure.add_subplot(max(lines, 1), CURVE_COLUMNS, place)
        points = [(step, value) for step, value in zip(steps, values, strict=True) if value is not None]
        axes.plot([step for step, _ in points], [value for _, value in points], color=COLOURS["tuned"], linewidth=1)
        axes.set_title(name, fontsize=9)
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.3)
    return figure


def save_svg(figure: Figure, file: Path) -> None:
    """Write a figure as SVG without the time, and with ids that depend on the picture alone."""
    with rc_context({"svg.hashsalt": "stemma", "svg.fonttype": "none"}):
        figure.savefig(file, format="svg", metadata={"Date": None})


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _draw_mode(axes: Axes, report: Report, mode: Mode) -> None:
    metrics = _shares(report, mode)
    for offset, policy in zip((-BAR / 2, BAR / 2), get_args(Policy), strict=True):
        rows = [(place, report.row(mode, policy, metric)) for place, metric in enumerate(metrics)]
        known = [(place + offset, row) for place, row in rows if row is not None]
        values = [row.estimate for _, row in known]
        errors = [[row.estimate - row.low for _, row in known], [row.high - row.estimate for _, row in known]]
        label = "SFT" if policy == "sft" else report.tuned.upper()
        axes.barh(
            [place for place, _ in known], values, BAR, xerr=errors, color=COLOURS[policy], label=label, capsize=2
        )
    axes.set_yticks(range(len(metrics)), metrics)
    axes.set_ylim(len(metrics) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.set_title(mode)


def _shares(report: Report, mode: Mode) -> list[str]:
    """Metrics of a mode that are shares; means of scores, lengths and the KL have other scales."""
    other = ("gold/mean", "response/length", "objective/kl")
    return list(dict.fromkeys(row.metric for row in report.rows if row.mode == mode and row.metric not in other))


def _read_history(file: Path) -> tuple[Sequence[float], dict[str, list[float | None]]]:
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    names = [name for name in (rows[0] if rows else {}) if name != "step"]
    curves = {name: [float(row[name]) if row[name] else None for row in rows] for name in names}
    return [float(row["step"]) for row in rows], curves
