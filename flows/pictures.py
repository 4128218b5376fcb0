"""Pictures of a stage's numbers, for people who would rather look."""

import json
from pathlib import Path
from typing import Any

from stemma.lineage.runs import EVALUATION
from stemma.stage.definition import ARTIFACTS
from stemma.stage.progress import HISTORY
from stemma.view.live_run import MlflowView


def stage_pictures(workspace: Path, stage: str) -> dict[str, Any]:
    """Draw what a stage left to draw: its training curves, and an evaluation's bars; by file name."""
    from stemma.evaluation.plots import draw_history, draw_metrics

    folder = workspace / ARTIFACTS / stage
    pictures = {}
    if (folder / HISTORY).exists() and "," in (folder / HISTORY).open(encoding="utf-8").readline():
        pictures["history"] = draw_history(folder / HISTORY)
    if stage.startswith(EVALUATION):
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        pictures["metrics"] = draw_metrics(report)
    return pictures


def show_pictures(view: MlflowView, workspace: Path, stage: str) -> None:
    """Put a stage's pictures on its run in MLflow, where MLflow answers."""
    if not view.lost:
        view.draw(stage, stage_pictures(workspace, stage))
