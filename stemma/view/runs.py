"""The runs on record and their runs in MLflow: found by tag, rebuilt where missing, mended where they differ."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from stemma.lineage.runs import MODEL_STAGES, Run
from stemma.stage.locks import try_lock
from stemma.view.answers import answer_differences
from stemma.view.difference import (
    Bytes,
    Difference,
    file_differences,
    input_differences,
    number_differences,
    run_tag_differences,
    setting_differences,
    status_differences,
)
from stemma.view.facts import Facts, StageFacts, repository_tags
from stemma.view.logged_models import PARENT
from stemma.view.run_page import TREE
from stemma.view.store import MlflowStore

REBUILT = {"stemma.rebuilt": "true"}


class ShownRuns:
    """The runs of a project in MLflow, next to those on record."""

    def __init__(self, root: Path, mlflow: MlflowStore, facts: Facts) -> None:
        self._root = root
        self._mlflow = mlflow
        self._facts = facts
        self._models: dict[str, Bytes] = mlflow.logged_models()
        self._parents: list[Any] = []
        self._children: dict[str, dict[str, str]] = {}
        """The ids of child runs by their stage, by the id of the parent run."""
        self._orphans: dict[tuple[str, str], str] = {}
        """The ids of child runs whose parent run is gone, by commit and stage."""
        self._sort(mlflow.runs())
        self._matched = self._match()
        self.without_curve: list[str] = []
        """The stages that were rebuilt without their training curve, for its bytes are nowhere here."""

    def parent(self, commit: str) -> str | None:
        """The id of the parent run that shows the run of that commit."""
        return self._matched.get(commit)

    def child(self, commit: str, stage: str) -> str | None:
        """The id of the child run that shows a stage of the run of that commit."""
        return self._children.get(self._matched.get(commit, ""), {}).get(stage)

    def differences(self) -> Iterator[Difference]:
        """Where MLflow differs from each run on record, the oldest first; a run in progress is left alone."""
        for run in self._facts.oldest_first:
            if not _in_progress(self._root, run.name):
                yield from self._of_run(run)

    def unknown(self) -> list[str]:
        """The finished runs in MLflow that are not on record."""
        known = set(self._matched.values())
        runs = [run for run in self._parents if run.info.run_id not in known and run.info.status == "FINISHED"]
        return [self._unknown(run) for run in runs if "stemma.run" in run.data.tags]

    def _of_run(self, run: Run) -> Iterator[Difference]:
        if run.commit not in self._matched:
            yield Difference(f"run {run.name} is missing", lambda: self._rebuild(run))
            return
        number = self._matched[run.commit]
        yield from self._of_parent(run, number)
        stages = self._facts.stages(run)
        children = self._children.get(number, {})
        for facts in stages:
            where = f"run {run.name}, {facts.stage}"
            if facts.stage in children:
                yield from self._of_stage(run, facts, children[facts.stage])
            else:
                yield Difference(f"{where} is missing", partial(self._rebuild_stage, run, facts))
        for stage in sorted(set(children) - {facts.stage for facts in stages}):
            yield Difference(f"run {run.name}: its child run {stage} ({children[stage]}) is not on record")

    def _of_parent(self, run: Run, number: str) -> Iterator[Difference]:
        where, found = f"run {run.name}", self._mlflow.client.get_run(number)
        yield from parent_differences(self._mlflow, where, found, self._facts, run, self._models)
        yield from answer_differences(self._mlflow, where, found, self._facts.answers(run))
        yield from status_differences(self._mlflow, where, found, run.created)

    def _of_stage(self, run: Run, facts: StageFacts, number: str) -> Iterator[Difference]:
        where, mlflow, found = f"run {run.name}, {facts.stage}", self._mlflow, self._mlflow.client.get_run(number)
        yield from run_tag_differences(mlflow, where, found, self._tags(facts))
        yield from setting_differences(where, found, facts.settings, mlflow.log_settings)
        yield from number_differences(mlflow, where, found, facts.metrics, self._facts.curve(facts), run.created)
        yield from input_differences(mlflow, self._facts.store, where, found, self._models, facts)
        yield from answer_differences(mlflow, where, found, self._facts.answers(run, facts))
        yield from status_differences(mlflow, where, found, run.created)

    def _unknown(self, run: Any) -> str:
        tags, number = run.data.tags, run.info.run_id
        twin = self._matched.get(tags.get("stemma.experiment_commit", ""))
        if twin:
            return f"run {tags['stemma.run']} is there twice: {number} beside {twin}"
        return (
            f"run {tags['stemma.run']} ({number}) is not on record here: its experiment was removed, or was made in "
            "another clone and not fetched"
        )

    def _rebuild(self, run: Run) -> None:
        tags = {**repository_tags(self._root), **self._facts.run_tags(run), **REBUILT}
        number = self._mlflow.begin_run(run.name, tags, run.created)
        self._matched[run.commit] = number
        for difference in self._of_parent(run, number):
            difference.settle()
        for facts in self._facts.stages(run):
            self._rebuild_stage(run, facts)

    def _rebuild_stage(self, run: Run, facts: StageFacts) -> None:
        parent = self._matched[run.commit]
        number = self._orphans.get((run.commit, facts.stage)) or self._new_child(run, facts)
        self._mlflow.set_tags(number, {PARENT: parent})
        self._children.setdefault(parent, {})[facts.stage] = number
        for difference in self._of_stage(run, facts, number):
            difference.settle()
        if facts.stage in MODEL_STAGES and self._facts.curve(facts) is None:
            self.without_curve.append(f"{run.name}, {facts.stage}")

    def _new_child(self, run: Run, facts: StageFacts) -> str:
        ran = facts.tags["stemma.state"] == "ran"
        free = {"stemma.reason": self._facts.reason(run, facts)} if ran else {"stemma.made_by": ""}
        tags = {**repository_tags(self._root), **free, **self._tags(facts), **REBUILT}
        return self._mlflow.begin_run(facts.stage, tags, run.created)

    def _tags(self, facts: StageFacts) -> dict[str, str]:
        maker = self.child(facts.maker, facts.stage) if facts.maker else None
        return {**facts.tags, **({"stemma.made_by_run_id": maker} if maker else {})}

    def _sort(self, runs: list[Any]) -> None:
        parents = {run.info.run_id for run in runs if PARENT not in run.data.tags}
        for run in runs:
            tags, number = run.data.tags, run.info.run_id
            stage, parent = tags.get("stemma.stage", ""), tags.get(PARENT)
            if parent is None:
                self._parents.append(run)
            elif stage and parent in parents:
                self._children.setdefault(parent, {}).setdefault(stage, number)
            elif stage:
                self._orphans.setdefault((tags.get("stemma.experiment_commit", ""), stage), number)

    def _match(self) -> dict[str, str]:
        """The id of the parent run of each run on record, by the run's commit; one that was not rebuilt comes first."""
        found: dict[str, str] = {}
        parents = sorted(self._parents, key=lambda run: "stemma.rebuilt" in run.data.tags)
        for key in (_by_commit, _by_name):
            known = set(found.values())
            shown = {key(run.data.tags): run.info.run_id for run in reversed(parents) if run.info.run_id not in known}
            for run in self._facts.oldest_first:
                number = shown.get(key(self._facts.run_tags(run)))
                if number and run.commit not in found:
                    found[run.commit] = number
        return found


def parent_differences(
    mlflow: MlflowStore, where: str, found: Any, facts: Facts, run: Run, models: Mapping[str, Bytes]
) -> Iterator[Difference]:
    """Where a parent run differs from what is on record, but for whether it ended; `models` are those by their id."""
    poorer = {TREE} if facts.lacks_labellers(run) else set()
    yield from run_tag_differences(mlflow, where, found, facts.parent_tags(run))
    yield from setting_differences(where, found, facts.changed(run), mlflow.log_params)
    yield from number_differences(mlflow, where, found, facts.metrics(run), [], run.created)
    yield from input_differences(mlflow, facts.store, where, found, models, facts.ends(run))
    yield from file_differences(mlflow, where, found.info.run_id, facts.files(run), poorer)


def _by_commit(tags: dict[str, str]) -> str | None:
    return tags.get("stemma.experiment_commit")


def _by_name(tags: dict[str, str]) -> tuple[str, str] | None:
    """The run's name, and which run of that name."""
    return (tags["stemma.run"], tags.get("prefect.flow_run_id", "")) if "stemma.run" in tags else None


def _in_progress(root: Path, name: str) -> bool:
    file = root / ".stemma" / "workspaces" / f"{name}.lock"
    if not file.exists():
        return False
    with try_lock(file) as held:
        return not held
