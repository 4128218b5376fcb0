"""Imports point down: flows → tasks → training → sampling, labelling, judging → models, evaluation, lineage → …"""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from stemma.lineage.closure import imported_modules

ROOT = Path(__file__).resolve().parents[2]
RANK = {
    "stemma.errors": 0,
    "stemma.config": 1, "stemma.records": 1, "stemma.objectives": 1,
    "stemma.metric_names": 1, "stemma.slice_metrics": 1, "stemma.result_conditions": 1,
    "stemma.world": 2, "stemma.stage": 2,
    "stemma.models": 3, "stemma.evaluation": 3, "stemma.lineage": 3,
    "stemma.sampling": 4, "stemma.labelling": 4, "stemma.judging": 4, "stemma.serving": 4, "stemma.cleanup": 4,
    "stemma.reproduction": 4,
    "stemma.training": 5, "stemma.view": 5, "stemma.export": 5,
    "stemma.verification": 6, "stemma.forgetting": 6, "stemma.promotion": 6,
    "tasks": 7,
    "flows": 8,
    "stemma.cli": 9,
    "stemma.__main__": 10,
}  # fmt: skip
SOURCES = sorted(
    path.relative_to(ROOT)
    for package in ("stemma", "tasks", "flows")
    for path in (ROOT / package).rglob("*.py")
    if path.name != "__init__.py"
)


def layer_of(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "stemma" else parts[0]


def module_of(source: Path) -> str:
    return ".".join(source.with_suffix("").parts)


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_imports_point_down(source: Path) -> None:
    own = layer_of(module_of(source))
    named = {layer_of(name) for name in imported_modules(ROOT / source)} - {own, "stemma"}
    climbing = sorted(layer for layer in named if RANK[layer] >= RANK[own])
    assert not climbing, f"{source} imports {climbing}"


@pytest.mark.parametrize(
    ("library", "owners"),
    [
        ("dvc", {"stemma.lineage"}),
        ("mlflow", {"stemma.view"}),
        ("prefect", {"flows"}),
        ("trl", {"stemma.training"}),
    ],
)
def test_only_the_owner_touches_a_library(library: str, owners: set[str]) -> None:
    for source in SOURCES:
        lines = [line.strip() for line in (ROOT / source).read_text(encoding="utf-8").splitlines()]
        forms = (f"import {library}", f"from {library} ", f"from {library}.")
        uses = [line for line in lines if line.startswith(forms)]
        assert not uses or layer_of(module_of(source)) in owners, f"{source}: {uses[0]}"


def imported_libraries(source: Path) -> Iterator[str]:
    """The libraries outside Python's own that a module imports, wherever in it."""
    for node in ast.walk(ast.parse((ROOT / source).read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        yield from (name.partition(".")[0] for name in names)


def test_every_library_that_is_imported_is_required() -> None:
    lines = (ROOT / "requirements.in").read_text(encoding="utf-8").splitlines()
    required = {re.split(r"[<>=\[]", line)[0].lower() for line in lines if line and not line.startswith("#")}
    own = {"stemma", "tasks", "flows", *sys.stdlib_module_names}
    libraries = {name for source in SOURCES for name in imported_libraries(source)} - own
    distributions = packages_distributions()
    missing = {name for name in libraries if not required & {found.lower() for found in distributions.get(name, [])}}
    assert sorted(missing) == []
    installed = (ROOT / "requirements.txt").read_text(encoding="utf-8").lower().splitlines()
    pins = [re.sub(r"\[.*?\]", "", line).lower() for line in lines if "==" in line]
    assert [pin for pin in pins if pin not in installed] == []


def test_files_and_functions_stay_small() -> None:
    long = [str(source) for source in SOURCES if len((ROOT / source).read_text("utf-8").splitlines()) > 300]
    assert not long
