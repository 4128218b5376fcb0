"""The reliability diagram of a judge (Guo et al. 2017, figure 1): how often people agree with what it is sure of."""

from io import BytesIO

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from stemma.judging.check import Check

BLUE, GREY = "#2f6db3", "#9aa5b1"


def calibration_png(judge: str, checked: Check) -> bytes:
    """The diagram as PNG; equal numbers give equal bytes."""
    figure = Figure(figsize=(5, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="sure as often as right")
    kept = [row for row in checked.bins if row is not None]
    most = max((row.pairs for row in kept), default=1)
    axes.scatter(
        [row.judge for row in kept],
        [row.people for row in kept],
        s=[20 + 180 * row.pairs / most for row in kept],
        color=BLUE,
        label="pairs (area: how many)",
    )
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xlabel="judge: chance that the first answer is better")
    axes.set_ylabel("people: share who prefer it")
    error = "" if checked.calibration_error is None else f", calibration error {checked.calibration_error:.3f}"
    axes.set_title(f"{judge}: {checked.pairs} pairs{error}", fontsize=10)
    axes.legend(loc="upper left", fontsize=8)
    axes.grid(alpha=0.3)
    stream = BytesIO()
    figure.savefig(stream, format="png", dpi=120, metadata={"Software": None})
    return stream.getvalue()
