"""What DVC shows of an evaluation."""

import csv
import json
from pathlib import Path

from stemma.evaluation.headline import headline, write_for_dvc
from stemma.evaluation.report import Report, Row, flat_metrics
from stemma.metric_names import declared_names


def row(policy: str, metric: str, estimate: float, mode: str = "sampled") -> Row:
    values = {"mode": mode, "policy": policy, "metric": metric, "estimate": estimate, "n": 4}
    return Row.model_validate(values | {"low": estimate - 0.1, "high": estimate + 0.1})


def report(tuned: str) -> Report:
    rows = (
        row("tuned", "gold/win_rate", 0.8), row("sft", "gold/mean", -0.2), row("tuned", "gold/mean", 0.5),
        row("tuned", "gold/verbosity", 0.3), row("tuned", "gold/mean", 0.6, "greedy"),
    )  # fmt: skip
    return Report(tuned=tuned, judge="gold", split="test", prompts=4, samples=2, rows=rows)


def test_every_method_has_the_same_few_names_in_one_file(tmp_path: Path) -> None:
    for tuned in ("ppo", "dpo"):
        write_for_dvc(tmp_path / tuned, report(tuned), flat_metrics(report(tuned)))
    files = [(tmp_path / tuned / "metrics" / "eval.json").read_bytes() for tuned in ("ppo", "dpo")]
    assert files[0] == files[1]
    assert json.loads(files[0]) == {"gold/win_rate": 0.8, "gold/mean": 0.5}
    assert set(headline(dict.fromkeys(declared_names(), 0.5))) <= declared_names()


def test_the_plot_has_sft_beside_the_tuned_policy(tmp_path: Path) -> None:
    write_for_dvc(tmp_path, report("dpo"), flat_metrics(report("dpo")))
    lines = list(csv.DictReader((tmp_path / "metrics" / "plots" / "eval.csv").open()))
    assert [(line["metric"], line["policy"], line["estimate"]) for line in lines] == [
        ("gold/win_rate", "tuned", "0.8"), ("gold/mean", "SFT", "-0.2"), ("gold/mean", "tuned", "0.5"),
    ]  # fmt: skip
    assert (lines[0]["low"], lines[0]["high"]) == ("0.7", "0.9")
