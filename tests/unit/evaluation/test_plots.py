from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from stemma.evaluation.intervals import Interval
from stemma.evaluation.plots import draw_history, draw_metrics, save_svg
from stemma.evaluation.report import Report, rows_of

HISTORY = "step,loss,margin\n1,0.7,\n2,0.5,0.25\n3,0.25,0.5\n"
REPORT = Report(
    tuned="ppo",
    judge="gold",
    split="test",
    prompts=8,
    samples=4,
    rows=(
        *rows_of("sampled", "tuned", {"gold/win_rate": Interval(0.75, 0.5, 1.0, 8)}),
        *rows_of("sampled", "tuned", {"gold/accuracy": Interval(0.625, 0.375, 0.875, 8)}),
        *rows_of("sampled", "sft", {"gold/accuracy": Interval(0.5, 0.25, 0.75, 8)}),
        *rows_of("greedy", "sft", {"gold/accuracy": Interval(1.0, 0.7, 1.0, 8)}),
        *rows_of("sampled", "tuned", {"objective/kl": Interval(1.5, 1.0, 2.0, 8)}),
    ),
)


def widths(axes: Axes) -> list[float]:
    return [bar.get_width() for bar in axes.patches if isinstance(bar, Rectangle)]


def test_a_panel_a_mode_and_a_bar_a_share() -> None:
    sampled, greedy = draw_metrics(REPORT.model_dump(mode="json")).axes
    assert (sampled.get_title(), greedy.get_title()) == ("sampled", "greedy")
    assert [label.get_text() for label in sampled.get_yticklabels()] == ["gold/win_rate", "gold/accuracy"]
    assert widths(sampled) == [0.5, 0.75, 0.625]  # SFT's first; it has no win rate
    assert widths(greedy) == [1.0]


def test_a_curve_a_column_without_its_gaps(tmp_path: Path) -> None:
    file = tmp_path / "history.csv"
    file.write_text(HISTORY, encoding="utf-8")
    loss, margin = draw_history(file).axes
    assert (loss.get_title(), margin.get_title()) == ("loss", "margin")
    assert np.asarray(loss.lines[0].get_ydata()).tolist() == [0.7, 0.5, 0.25]
    assert np.asarray(margin.lines[0].get_xdata()).tolist() == [2, 3]


def test_the_same_numbers_give_the_same_bytes(tmp_path: Path) -> None:
    files = [tmp_path / "one.svg", tmp_path / "two.svg"]
    for file in files:
        save_svg(draw_metrics(REPORT.model_dump(mode="json")), file)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert str(tmp_path) not in files[0].read_text(encoding="utf-8")
