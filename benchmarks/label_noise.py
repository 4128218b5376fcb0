"""How much does noise in the labels cost, and how much of it do several verdicts a pair win back?

    python -m benchmarks.label_noise [--seeds 0] [--noise 0 10 20 30 40] [--jobs 2] [--name label-noise]

On the default world, five simulated annotators turn this share of their verdicts around; in a second series one of
the five always takes the answer shown first. Labels are made from one verdict a pair, or from five: by majority, by
Dawid and Skene's model, or by that model with its probabilities kept (soft). Of each this asks

- the labels: what share of them is wrong by the gold rule;
- a reward model trained on them: its accuracy on test pairs labelled by the gold rule;
- `stemma run dpo` on them: its policy's gold win rate against SFT, sampled answers, test prompts.

Every run stays on record under its name, and what is measured lies in .stemma/benchmarks/NAME/: what is done is not
done again, so a benchmark that was stopped goes on when it is started again. Prints a table and draws
docs/images/label-noise.png. Intervals are 95 %, over pairs or prompts; with several seeds, of the seeds' mean.
"""

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
STEMMA = [sys.executable, "-m", "stemma"]
PICTURE = ROOT / "docs" / "images" / "label-noise.png"

METHODS: dict[str, dict[str, Any]] = {
    "one": {"verdicts_per_pair": 1},
    "majority": {"verdicts_per_pair": 5, "aggregation": "majority"},
    "dawid-skene": {"verdicts_per_pair": 5, "aggregation": "dawid_skene"},
    "soft": {"verdicts_per_pair": 5, "aggregation": "dawid_skene", "soft": True},
}
"""The label stage's settings for each way to make a label."""

WORDS = {
    "one": "one verdict a pair",
    "majority": "majority of 5",
    "dawid-skene": "Dawid–Skene of 5",
    "soft": "Dawid–Skene of 5, soft",
}
CREWS = {"alike": "five annotators alike", "spammer": "one of five always takes the first"}
MEASURED = {"reward": "reward model: accuracy on gold pairs", "win": "DPO: gold win rate against SFT"}


@dataclass(frozen=True)
class Cell:
    """One training run of the benchmark."""

    name: str
    seed: int
    crew: str
    method: str
    noise: int
    """Per cent."""

    @property
    def run(self) -> str:
        """The run's name."""
        return f"{self.name}-{self.seed}-{self.crew}-{self.method}-{self.noise}"

    @property
    def file(self) -> Path:
        """Where its numbers are kept."""
        return ROOT / ".stemma" / "benchmarks" / self.name / f"{self.run}.json"

    def settings(self) -> dict[str, Any]:
        """The label stage's settings."""
        honest = {"noise": self.noise / 100, "length_bias": 0.0, "position_bias": 0.0}
        annotators = [{"name": name, **honest} for name in ("ada", "ben", "cleo", "dov", "eve")]
        if self.crew == "spammer":  # never turned where the first is better, always where the second is
            annotators[-1] |= {"noise": 0.5, "position_bias": 0.5}
        return {"annotators": annotators, "overlap_share": 0.0, **METHODS[self.method]}


Numbers = dict[str, Any]
"""What is measured of a cell: `labels_wrong`, and for `reward` and `win` an estimate with its interval's ends."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every cell, print the table, draw the picture."""
    parser = argparse.ArgumentParser(description="How much does noise in the labels cost?")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="N")
    parser.add_argument("--noise", type=int, nargs="+", default=[0, 10, 20, 30, 40], metavar="PER_CENT")
    parser.add_argument("--crews", nargs="+", choices=list(CREWS), default=list(CREWS))
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time; each takes one core")
    parser.add_argument("--name", default="label-noise", help="what the runs' names begin with")
    options = parser.parse_args(arguments)
    cells = [
        Cell(options.name, seed, crew, method, noise)
        for seed in options.seeds
        for crew in options.crews
        for noise in options.noise
        for method in options.methods
    ]
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        numbers = dict(zip(cells, pool.map(measure, cells), strict=True))
    print("\n" + "\n".join(table(numbers)))
    draw(numbers, PICTURE)
    return 0


def measure(cell: Cell) -> Numbers:
    """A cell's numbers, from its file where it has been measured."""
    if not cell.file.exists():
        shown = _shown(cell.run) or _run(cell)
        numbers = _of_artifacts(shown["commit"], cell.seed) | {"win": _interval(shown["metrics"]["eval_dpo"])}
        cell.file.parent.mkdir(parents=True, exist_ok=True)
        partial = cell.file.with_suffix(".part")
        partial.write_text(json.dumps(numbers, indent=2), encoding="utf-8")
        partial.rename(cell.file)
    found: Numbers = json.loads(cell.file.read_text(encoding="utf-8"))
    print(f"{cell.run}: {found}", flush=True)
    return found


def _run(cell: Cell) -> dict[str, Any]:
    settings = {f"label.{name}": json.dumps(value) for name, value in cell.settings().items()}
    words = [
        word for name, value in {"seed": str(cell.seed), **settings}.items() for word in ("--set", f"{name}={value}")
    ]
    subprocess.run([*STEMMA, "run", "dpo", *words, "--name", cell.run], cwd=ROOT, check=True)
    shown = _shown(cell.run)
    if shown is None:
        raise RuntimeError(f"{cell.run} ended, but is not on record")
    return shown


def _shown(run: str) -> dict[str, Any] | None:
    """What is on record of a run; None where there is none of that name."""
    done = subprocess.run([*STEMMA, "show", run, "--json"], cwd=ROOT, capture_output=True, text=True, check=False)
    found: dict[str, Any] | None = json.loads(done.stdout) if done.returncode == 0 else None
    return found


def _interval(metrics: dict[str, float]) -> list[float]:
    return [metrics[f"gold/win_rate{end}"] for end in ("", "_low", "_high")]


def _of_artifacts(commit: str, seed: int) -> Numbers:
    """What share of a run's labels is wrong, and how good a reward model they make."""
    with TemporaryDirectory() as folder:
        place = Path(folder)
        for name in ("data", "sample", "sft", "label"):
            get = ["dvc", "get", str(ROOT), f"artifacts/{name}", "--rev", commit, "-o", str(place / name), "--quiet"]
            subprocess.run(get, cwd=ROOT, check=True)
        report = json.loads((place / "label" / "report.json").read_text(encoding="utf-8"))
        return {"labels_wrong": report["errors"]["labels"]["wrong_share"], "reward": _reward_accuracy(place, seed)}


def _reward_accuracy(place: Path, seed: int) -> list[float]:
    """The accuracy, on test pairs labelled by the gold rule, of a reward model trained on the run's labels."""
    from stemma.config import MachineConfig
    from stemma.records.jsonl import read_rows
    from stemma.records.types import Comparison
    from stemma.stage.door import Stage
    from stemma.stage.progress import Progress
    from stemma.training.held_out import split_of
    from stemma.training.reward import train_reward_model
    from tasks.reward import RewardConfig

    output, scratch = place / "reward", place / "scratch"
    output.mkdir()
    scratch.mkdir()
    stage = Stage("reward", seed, MachineConfig(), {}, output, scratch, Progress("reward", scratch))
    train = split_of(read_rows(place / "label" / "comparisons.jsonl", Comparison), "train")
    measured = train_reward_model(
        train, {"test": split_of(gold_comparisons(place, seed), "test")}, place / "sft", output, RewardConfig(), stage
    )
    accuracy = measured["test"].accuracy
    return [accuracy.estimate, accuracy.low, accuracy.high]


def gold_comparisons(place: Path, seed: int) -> list[Any]:
    """The pairs of answers that the run labels, labelled by the gold rule; `place` holds its artifacts."""
    from stemma.labelling.aggregation import aggregate, comparisons_of
    from stemma.labelling.annotators import AnnotatorConfig
    from stemma.labelling.pairs import pair_responses, pairs_per_prompt
    from stemma.labelling.simulation import judge_pairs
    from stemma.records.jsonl import read_rows
    from stemma.records.types import Prompt, Response

    prompts = {prompt.id: prompt for prompt in read_rows(place / "data" / "prompts.jsonl", Prompt)}
    responses = read_rows(place / "sample" / "responses.jsonl", Response)
    pairs = pair_responses(prompts, responses, seed, pairs_per_prompt(place / "sample")).pairs
    judged = judge_pairs(pairs, [AnnotatorConfig(name="gold", noise=0)], 1, 0.0, seed)
    return comparisons_of(aggregate([pair.voted() for pair in judged], "majority"), prompts, soft=False)


def table(numbers: dict[Cell, Numbers]) -> list[str]:
    """Lines of Markdown: a row a crew, noise and method."""
    lines = [
        "| annotators | noise | labels from | labels wrong | reward model | DPO win rate |",
        "|---|---|---|---|---|---|",
    ]
    for crew, noise, method in dict.fromkeys((cell.crew, cell.noise, cell.method) for cell in numbers):
        found = [n for cell, n in numbers.items() if (cell.crew, cell.noise, cell.method) == (crew, noise, method)]
        wrong = fmean(n["labels_wrong"] for n in found)
        reward, win = (_text(together(n[what] for n in found)) for what in MEASURED)
        lines.append(f"| {CREWS[crew]} | {noise} % | {WORDS[method]} | {wrong:.1%} | {reward} | {win} |")
    return lines


def together(intervals: Iterable[Sequence[float]]) -> tuple[float, float, float]:
    """The mean of several seeds' estimates, with its interval: each seed has prompts of its own."""
    rows = list(intervals)
    mean = fmean(row[0] for row in rows)
    below = math.sqrt(sum((row[0] - row[1]) ** 2 for row in rows)) / len(rows)
    above = math.sqrt(sum((row[2] - row[0]) ** 2 for row in rows)) / len(rows)
    return mean, mean - below, mean + above


def _text(interval: Sequence[float]) -> str:
    return "{:.3f} [{:.3f}, {:.3f}]".format(*interval)


def draw(numbers: dict[Cell, Numbers], file: Path) -> None:
    """Both measures over the noise, a line a method and a column a crew; told apart in black and white too."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    crews = list(dict.fromkeys(cell.crew for cell in numbers))
    figure = Figure(figsize=(4.6 * len(crews), 6.6), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(MEASURED), len(crews), sharex=True, sharey="row", squeeze=False)
    for row, what in zip(grid, MEASURED, strict=True):
        for axes, crew in zip(row, crews, strict=True):
            _draw_lines(axes, {cell: n for cell, n in numbers.items() if cell.crew == crew}, what)
            axes.set_title(CREWS[crew] if what == "reward" else "", fontsize=10)
        row[0].set_ylabel(MEASURED[what], fontsize=9)
    for axes in grid[-1]:
        axes.set_xlabel("verdicts turned around, %", fontsize=9)
    figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=200, metadata={"Software": None})


STYLES = {
    "one": ("#7f7f7f", "o", ":"),
    "majority": ("#d1862c", "s", "--"),
    "dawid-skene": ("#2f6db3", "^", "-."),
    "soft": ("#111111", "D", "-"),
}
APART = 0.5
"""Per cent of noise between the lines' points, so that error bars do not hide each other."""


def _draw_lines(axes: Any, numbers: dict[Cell, Numbers], what: str) -> None:
    for place, (method, (colour, marker, line)) in enumerate(STYLES.items()):
        noises = sorted({cell.noise for cell in numbers if cell.method == method})
        points = [
            together(n[what] for cell, n in numbers.items() if (cell.method, cell.noise) == (method, noise))
            for noise in noises
        ]
        axes.errorbar(
            [noise + APART * (place - 1.5) for noise in noises],
            [mean for mean, _, _ in points],
            yerr=[[mean - low for mean, low, _ in points], [high - mean for mean, _, high in points]],
            label=WORDS[method],
            color=colour,
            marker=marker,
            linestyle=line,
            markersize=4.5,
            linewidth=1.2,
            capsize=2,
        )
    axes.axhline(0.5, color="#bbbbbb", linewidth=0.8)
    axes.grid(alpha=0.25)
    axes.tick_params(labelsize=8)


if __name__ == "__main__":
    sys.exit(main())
