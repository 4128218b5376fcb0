"""The page of a run in MLflow, its description: results, origin, code and version, so that one look tells them."""

from collections.abc import Mapping

from stemma.lineage.runs import EVALUATION, Run
from stemma.lineage.show import PAIR_RESULTS, PAIR_STAGES, RESULTS, result_rows
from stemma.view.origin import Origin

TREE = "lineage/tree.html"
"""Where the page of its policy's family tree lies among the files of a run in MLflow."""
SETTINGS = "params.yaml"
"""All settings of a run, as a file of the run in MLflow."""
LIMIT = 7900
"""MLflow takes tags of up to 8000 characters."""


def run_page(run: Run, origin: Origin, version: str) -> str:
    """The description of a run in Markdown; `version` is the registered version of its policy, or empty."""
    code = f"`{run.baseline}`" + (" with uncommitted changes" if run.dirty else "")
    model, _, number = version.partition("/")
    registered = f"**Registered as [{version}](#/models/{model}/versions/{number}).** " if version else ""
    made = f"{len(run.made)} of {len(run.stages)} stages ran"
    header, *rows = result_rows([run])
    table = "\n".join([_row(header), "|:---|---:|", *map(_row, rows)])
    files = f"Artifacts of this run: its family tree `{TREE}`, all settings `{SETTINGS}`."
    paragraphs = [
        f"{registered}Flow {run.flow}; {made}.",
        table,
        *origin.paragraphs(),
        f"**Code commit:** {code}. The record is experiment {run.name}, commit `{run.commit}`.",
        f"{files} `stemma show {run.name}` shows the same; `dvc exp apply {run.name}` takes its files.",
    ]
    return "\n\n".join(paragraphs)[:LIMIT]


def headline(metrics: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The numbers of the results table, with the ends of their intervals and what SFT reached, of metrics by stage."""
    names = [*(f"{prefix}{name}" for name in RESULTS for prefix in ("", "sft/")), *PAIR_RESULTS]
    ends = [name + end for name in names for end in ("", "_low", "_high")]
    told = [stage for stage in metrics if stage in PAIR_STAGES or stage.startswith(EVALUATION)]
    numbers = {name: value for stage in told for name, value in metrics[stage].items()}
    return {name: numbers[name] for name in ends if name in numbers}


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
