"""Which run made what another run restored: shown once both are on record, whichever ended first."""

from collections.abc import Mapping

from stemma.lineage.runs import Run
from stemma.view.difference import file_differences
from stemma.view.facts import Facts
from stemma.view.logged_models import PARENT
from stemma.view.run_page import TREE
from stemma.view.store import MlflowStore

COMMIT = "stemma.experiment_commit"
NAMELESS = "tags.`stemma.state` = 'cached' and tags.`stemma.made_by` = ''"


def show_stages(mlflow: MlflowStore, facts: Facts, run: Run, children: Mapping[str, str]) -> None:
    """Give child runs, whose ids are by stage, the tags that are on record: which run made what was restored, too."""
    for stage in facts.stages(run):
        if stage.stage in children:
            maker = _child(mlflow, stage.maker, stage.stage) if stage.maker else ""
            named = {"stemma.made_by_run_id": maker} if maker else {}
            mlflow.set_tags(children[stage.stage], {**stage.tags, **named})


def name_maker(mlflow: MlflowStore, facts: Facts, maker: Run) -> None:
    """Name a run in those that restored its artifacts and were on record before it: in their tags and family trees."""
    made = set(maker.made.values())
    children: dict[str, dict[str, str]] = {}
    parents: dict[str, str] = {}
    for child in mlflow.runs(NAMELESS):
        tags = child.data.tags
        if tags.get("stemma.dvc_id") in made and COMMIT in tags:
            children.setdefault(tags[COMMIT], {})[tags["stemma.stage"]] = child.info.run_id
            parents[tags[COMMIT]] = tags[PARENT]
    for run in facts.oldest_first:
        if run.commit in children:
            show_stages(mlflow, facts, run, children[run.commit])
            poorer = {TREE} if facts.lacks_labellers(run) else set()
            for difference in file_differences(
                mlflow, f"run {run.name}", parents[run.commit], facts.files(run), poorer
            ):
                difference.settle()


def _child(mlflow: MlflowStore, commit: str, stage: str) -> str:
    """The id of the child run that shows a stage of the run of that commit, or empty."""
    found = mlflow.runs(f"tags.`{COMMIT}` = '{commit}' and tags.`stemma.stage` = '{stage}'")
    return str(found[0].info.run_id) if found else ""
