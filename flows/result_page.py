"""What a run came to, as a page in the Prefect UI: its numbers, its family tree, and where else to look."""

from base64 import b64encode
from contextlib import closing
from io import BytesIO
from pathlib import Path

from prefect import get_run_logger
from pydantic import BaseModel
from ruamel.yaml import YAML

from flows.pages import page_key, show_page
from flows.service.stack import mlflow_page
from flows.settings import ProjectSettings, of_any_machine, stage_values
from stemma.config import Values, merged
from stemma.lineage.answers import answers_of
from stemma.lineage.family import family_of, tree_lines
from stemma.lineage.git import Git
from stemma.lineage.index import Index, open_index
from stemma.lineage.names import Model, model_of, policy_of
from stemma.lineage.registry import CHAMPION, Registry
from stemma.lineage.runs import EVALUATION, Run, artifact_id, find_run
from stemma.lineage.show import result_rows, warning_lines
from stemma.lineage.store import Store
from stemma.lineage.trace import changed_settings
from stemma.records import answer_examples
from stemma.stage.definition import PARAMS_FILE
from stemma.view.origin import really_used


class FlowReport(BaseModel):
    """What a finished flow run made."""

    run: str
    flow: str
    policy: str
    """DVC id of the policy."""
    model: str
    version: str
    """Version of the registered model."""
    ran: list[str]
    metrics: dict[str, float]
    place: str = ""
    """Where MLflow's UI has the run; empty where MLflow did not answer."""


def show_result(root: Path, report: FlowReport, verdict: str = "", words: str = "") -> None:
    """Put the page on the present flow run, with the verdict and its reason where there is one."""
    title = f"{report.run} made {report.model}/{report.version}" + (f": {verdict}" if verdict else "")
    markdown = result_page(root, report, title, words)
    show_page(page_key("result", report.run), markdown, title, get_run_logger().warning)


def result_page(root: Path, report: FlowReport, title: str, words: str) -> str:
    """The page as Markdown."""
    run = find_run(root, report.run)
    with closing(open_index(root)) as index:
        tree = tree_lines(family_of(index, policy_of(index, run)).shown())
        champion = _champion(root, index, report)
    with Store(root) as store:
        answers, picture = answers_of(store, run), _picture(store, run)
    header, *rows = result_rows([run, *([champion.run] if champion else [])])
    beside = f"Beside it the champion, {champion.title}." if champion else f"{report.model} has no other champion."
    made = f"{len(report.ran)} of {len(run.stages)} stages ran" + (f": {', '.join(report.ran)}" if report.ran else "")
    return "\n\n".join(
        [
            f"# {title}",
            *([_block(words.splitlines())] if words else []),
            *(f"**{line}**" for line in warning_lines(run)),
            _links(root, report),
            f"Flow {report.flow}; {made}.",
            f"Changed settings: {_changed(root, run)}",
            beside,
            "\n".join([_row(header), "|:---" + "|---:" * (len(header) - 1) + "|", *map(_row, rows)]),
            *([picture] if picture else []),
            *(["## Answers before and after", answer_examples.markdown(answers)] if answers else []),
            "## Family tree",
            _block(tree),
            f"`stemma show {report.run}` tells the same; `dvc exp apply {report.run}` takes its files.",
        ]
    )


def _links(root: Path, report: FlowReport) -> str:
    page = mlflow_page(root)
    version = f"[{report.model}/{report.version}]({page}/#/models/{report.model}/versions/{report.version})"
    return " · ".join([*([f"[Run in MLflow]({page}/#{report.place})"] if report.place else []), version])


def _champion(root: Path, index: Index, report: FlowReport) -> Model | None:
    """The version that serves, where it is another one than the run's own."""
    registered = Registry(root, report.model).read()
    number = registered.aliases.get(CHAMPION)
    if number is None or str(number) == report.version:
        return None
    return model_of(index, registered, registered.versions[number])


def _changed(root: Path, run: Run) -> str:
    """The run's settings that differ from params.yaml at the commit that the run began from."""
    changed = changed_settings(really_used(run.params), _usual(root, run))
    listed = [f"`{key}` {_in_short(before)} → {_in_short(value)}" for key, (before, value) in changed.items()]
    return ", ".join(listed) or "none; all are as in params.yaml"


def _usual(root: Path, run: Run) -> Values:
    """The values of that params.yaml; what it leaves out is as the code has it."""
    file = f"{run.baseline}:{PARAMS_FILE}"
    values = YAML(typ="safe").load(Git(root).contents([file])[file] or "") or {}
    return merged(stage_values(ProjectSettings()), of_any_machine(values))


def _in_short(value: object) -> str:
    """A value on one line; of a list only how long it is."""
    return f"{len(value)} entries" if isinstance(value, list) else str(value)


def _picture(store: Store, run: Run) -> str:
    """The evaluation's bars, as a picture in the page itself; empty where its bytes are not here."""
    from stemma.evaluation.plots import draw_metrics

    stage = f"{EVALUATION}{run.trailers['Policy'].partition('=')[0]}"
    report = store.read_json(artifact_id(run.lock[stage]), "report.json") if stage in run.lock else None
    if report is None:
        return ""
    image = BytesIO()
    draw_metrics(report).savefig(image, format="png", dpi=60)
    return f"![SFT and the tuned policy](data:image/png;base64,{b64encode(image.getvalue()).decode()})"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _block(lines: list[str]) -> str:
    return "\n".join(["```", *lines, "```"])
