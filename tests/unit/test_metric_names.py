from pathlib import Path

import pytest

from stemma.lineage.closure import import_closure
from stemma.metric_names import METRICS, as_markdown, declared_names, require_declared

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_printed_from_the_declarations() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert page == as_markdown(), "run `python -m stemma.metric_names > docs/metrics.md`"


def test_an_undeclared_name_is_refused() -> None:
    require_declared(["loss", "gold/win_rate_low", "sft/greedy/gold/accuracy", "validation/accuracy_high"])
    with pytest.raises(ValueError, match=r"undeclared metrics \['gold/acuracy', 'loss_low', 'sft/loss'\]"):
        require_declared(["loss", "sft/loss", "gold/acuracy", "loss_low"])


def test_every_meaning_is_a_sentence() -> None:
    assert all(metric.meaning[0].isupper() and metric.meaning.endswith(".") for metric in METRICS.values())
    assert set(METRICS) <= declared_names()


def test_no_stage_depends_on_the_names() -> None:
    # A stage's key holds its import closure, so that an import would make models stale whenever a metric is added.
    stages = {path for task in (ROOT / "tasks").glob("*.py") for path in import_closure(ROOT, f"tasks.{task.stem}")}
    assert Path("stemma/config.py") in stages
    assert Path("stemma/metric_names.py") not in stages
