"""The page of a version's family tree, among the files of its policy's run in MLflow."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from stemma.config import Values
from stemma.lineage.index import Index
from stemma.lineage.names import model_of
from stemma.lineage.registry import Registered, Version
from stemma.lineage.store import Store
from stemma.lineage.trace import Trace, trace
from stemma.lineage.trace_page import trace_html
from stemma.view.difference import Difference
from stemma.view.store import MlflowStore
from stemma.view.version_facts import TREE


def tree_of(index: Index, store: Store, registered: Registered, version: Version, defaults: Values) -> Trace:
    """A version's trace as its page in MLflow tells it: without the aliases, for these move on and the page stays."""
    model = model_of(index, registered, version)
    return replace(trace(index, store, model, defaults), aliases=())


def log_tree(mlflow: MlflowStore, run: str, told: Trace) -> None:
    """Put the page among the files of a run."""
    mlflow.client.log_text(run, trace_html(told), TREE)


def tree_differences(mlflow: MlflowStore, where: str, run: str, told: Trace) -> Iterator[Difference]:
    """Where the page is missing, or is not what is on record.

    A page that is there stays where the labels' bytes are not here, for it may name who labelled and a new one cannot.
    """
    there = _read(mlflow, run)
    poorer = any(fact.name == "label" and not fact.labellers for fact in told.facts.values())
    if there is None or (there != trace_html(told) and not poorer):
        words = "is missing" if there is None else "is not what is on record"
        yield Difference(f"{where}: the page of its family tree {words}", lambda: log_tree(mlflow, run, told))


def _read(mlflow: MlflowStore, run: str) -> str | None:
    folder, _, _ = TREE.rpartition("/")
    if all(file.path != TREE for file in mlflow.client.list_artifacts(run, folder)):
        return None
    with tempfile.TemporaryDirectory() as place:
        return Path(mlflow.client.download_artifacts(run, TREE, place)).read_text("utf-8")
