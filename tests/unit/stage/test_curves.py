"""What DVC draws of a stage's training."""

import csv
from pathlib import Path

import pytest

from stemma.config import read_yaml
from stemma.stage.curves import DRAWN, MOST_POINTS, curves, score_gains, write_plots

ROOT = Path(__file__).resolve().parents[3]


def test_both_gains_are_shares_of_the_scorers_own_largest() -> None:
    """Reward model 1 → 3 → 5, judge 0.2 → 0.6 → 0.1: by hand 0, 2/4, 4/4 and 0, 0.4/0.4, -0.1/0.4."""
    scores = ((0, 1.0, 0.2), (10, 3.0, 0.6), (20, 5.0, 0.1))
    rows = [{"step": step, "watch/scores": score, "watch/judge": judge} for step, score, judge in scores]
    points = score_gains([rows[0], {"step": 5, "loss": 1.0}, *rows[1:]])
    assert [(step, series) for step, series, _ in points] == [
        *((step, "reward model") for step in (0, 10, 20)),
        *((step, "judge") for step in (0, 10, 20)),
    ]
    assert [value for *_, value in points] == pytest.approx([0, 0.5, 1, 0, 1, -0.25])


def test_a_policy_that_never_moved_has_no_gain() -> None:
    points = score_gains([{"step": step, "watch/scores": 2.0} for step in (0, 1)])
    assert [value for *_, value in points] == [0.0, 0.0]


@pytest.mark.parametrize("steps", [1, MOST_POINTS, MOST_POINTS + 1, 5 * MOST_POINTS])
def test_a_long_history_is_thinned_metric_by_metric(steps: int) -> None:
    rows = [{"step": step, "loss": 1.0 / step, "learning_rate": 0.1} for step in range(1, steps + 1)]
    rows[0]["accuracy"] = 0.5
    points = curves(rows)
    assert 0 < sum(series == "loss" for _, series, _ in points) <= MOST_POINTS
    assert sum(series == "accuracy" for _, series, _ in points) == 1
    assert {series for _, series, _ in points} == {"loss", "accuracy"}


def test_a_stage_that_trained_nothing_leaves_a_point_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC renders a broken plot from a file without rows."""
    monkeypatch.chdir(tmp_path)
    for stage in (*DRAWN, "judge"):
        write_plots(stage, [])
    files = sorted((tmp_path / "metrics" / "plots").iterdir())
    assert [file.stem for file in files] == sorted([*DRAWN, "over_optimization"])
    assert all(len(list(csv.DictReader(file.open()))) == 1 for file in files)


def test_dvc_yaml_declares_every_plot_where_it_is_written() -> None:
    stages = {name: stage.get("do", stage) for name, stage in read_yaml(ROOT / "dvc.yaml")["stages"].items()}
    plots = {name: [path for plot in stage.get("plots", []) for path in plot] for name, stage in stages.items()}
    assert {name: paths for name, paths in plots.items() if paths} == {
        **{name: [f"metrics/plots/{name}.csv"] for name in DRAWN},
        "ppo": ["metrics/plots/over_optimization.csv", "metrics/plots/ppo.csv"],
        "eval_ppo": ["metrics/plots/eval.csv"],
        "eval_dpo": ["metrics/plots/eval.csv"],
    }
    templates = {
        plot[path]["template"] for stage in stages.values() for plot in stage.get("plots", []) for path in plot
    }
    assert all((ROOT / ".dvc" / "plots" / f"{template}.json").is_file() for template in templates)
