"""What a run came to, as a page in the Prefect UI: its numbers, its family tree, and where else to look."""

from contextlib import closing
from pathlib import Path

from prefect import get_run_logger
from pydantic import BaseModel

from flows.pages import page_key, show_page
from flows.service.stack import mlflow_page
from stemma.lineage.family import family_of, tree_lines
from stemma.lineage.index import open_index
from stemma.lineage.names import policy_of
from stemma.lineage.runs import find_run
from stemma.lineage.show import result_rows, warning_lines


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
    header, *rows = result_rows([run])
    made = f"{len(report.ran)} of {len(run.stages)} stages ran" + (f": {', '.join(report.ran)}" if report.ran else "")
    return "\n\n".join(
        [
            f"# {title}",
            *([_block(words.splitlines())] if words else []),
            *(f"**{line}**" for line in warning_lines(run)),
            _links(root, report),
            f"Flow {report.flow}; {made}.",
            "\n".join([_row(header), "|:---|---:|", *map(_row, rows)]),
            "## Family tree",
            _block(tree),
            f"`stemma show {report.run}` tells the same; `dvc exp apply {report.run}` takes its files.",
        ]
    )


def _links(root: Path, report: FlowReport) -> str:
    page = mlflow_page(root)
    version = f"[{report.model}/{report.version}]({page}/#/models/{report.model}/versions/{report.version})"
    return " · ".join([*([f"[Run in MLflow]({page}/#{report.place})"] if report.place else []), version])


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _block(lines: list[str]) -> str:
    return "\n".join(["```", *lines, "```"])
