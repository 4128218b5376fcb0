"""Inputs that hold nothing: DVC needs each of a stage's dependencies to be there, even where a run gives none."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from stemma.config import Values
from stemma.lineage.dvc import LockEntry
from stemma.lineage.index import Index, is_data
from stemma.lineage.raw_files import raw_files
from stemma.lineage.runs import Run

README = "README"
"""The file that says what a folder is for, and keeps the folder in Git."""
AI_LABEL = "artifacts/ai_label"


def is_placeholder(index: Index, run: Run, dep: dict[str, Any]) -> bool:
    """Whether a raw input of a run, as its dvc.lock has it, is a folder that holds only a README."""
    if dep.get("nfiles", 1) != 1 or not dep["md5"].endswith(".dir") or dep["path"].startswith("artifacts/"):
        return False
    known = index.placeholders
    if dep["md5"] not in known:
        known[dep["md5"]] = [file.path for file in raw_files(index.root, run.commit, dep["path"])] == [README]
    return known[dep["md5"]]


def asked_nobody(stage: str, params: Values) -> bool:
    """Whether it is an ai_label stage that asked no judge, by its settings: its artifact is empty."""
    settings = params.get("ai_label")
    return stage == "ai_label" and settings is not None and not settings.get("judges")


def used_params(entry: LockEntry) -> Values:
    """The settings that a stage was made with, by its entry in dvc.lock."""
    used: Values = entry.get("params", {}).get("params.yaml", {})
    return used


def empty_inputs(workspace: Path, entry: LockEntry, params: Values) -> set[str]:
    """The paths of a stage's inputs that hold nothing, while its run is at work in a workspace."""
    data = [dep["path"] for dep in entry.get("deps", []) if is_data(dep["path"])]
    nobody = {AI_LABEL} if asked_nobody("ai_label", params) else set()
    return {path for path in data if _only_readme(workspace / path)} | (nobody & set(data))


def shown_inputs(index: Index, entry: LockEntry, is_empty: Callable[[dict[str, Any]], bool]) -> LockEntry:
    """A stage's entry with the inputs that people want to see: those that hold something, under their stages' names."""
    deps = [dep for dep in entry.get("deps", []) if not is_data(dep["path"]) or not is_empty(dep)]
    return {**entry, "deps": [{**dep, "path": _shown_path(index, dep)} for dep in deps]}


def recorded_emptiness(index: Index, run: Run) -> Callable[[dict[str, Any]], bool]:
    """Tells of each input of a run on record whether it holds nothing."""
    nobody = asked_nobody("ai_label", run.params)
    return lambda dep: (dep["path"] == AI_LABEL and nobody) or is_placeholder(index, run, dep)


def known_emptiness(empty: Collection[str]) -> Callable[[dict[str, Any]], bool]:
    """The same, where the paths are known."""
    return lambda dep: dep["path"] in empty


def _shown_path(index: Index, dep: dict[str, Any]) -> str:
    """The path under which a stage made it, for what a round takes in from an earlier run."""
    path: str = dep["path"]
    made = [] if path.startswith("artifacts/") or not is_data(path) else index.of_artifact(dep["md5"])
    return f"artifacts/{made[0].stage}" if made else path


def _only_readme(folder: Path) -> bool:
    return folder.is_dir() and [file.name for file in folder.iterdir()] == [README]
