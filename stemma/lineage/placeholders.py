"""Inputs that hold nothing: DVC needs each of a stage's dependencies to be there, even where a run gives none."""

from typing import Any

from stemma.lineage.dvc import LockEntry
from stemma.lineage.index import Derivation, Index
from stemma.lineage.raw_files import raw_files
from stemma.lineage.runs import Run

README = "README"
"""The file that says what a folder is for, and keeps the folder in Git."""


def is_placeholder(index: Index, run: Run, dep: dict[str, Any]) -> bool:
    """Whether a raw input of a run, as its dvc.lock has it, is a folder that holds only a README."""
    if dep.get("nfiles", 1) != 1 or not dep["md5"].endswith(".dir"):
        return False
    known = index.placeholders
    if dep["md5"] not in known:
        known[dep["md5"]] = [file.path for file in raw_files(index.root, run.commit, dep["path"])] == [README]
    return known[dep["md5"]]


def asked_nobody(derivation: Derivation) -> bool:
    """Whether it is an ai_label stage that asked no judge: its artifact is empty."""
    return derivation.stage == "ai_label" and _settings(derivation.entry).get("judges") == []


def _settings(entry: LockEntry) -> dict[str, Any]:
    settings: dict[str, Any] = entry.get("params", {}).get("params.yaml", {}).get("ai_label", {})
    return settings
