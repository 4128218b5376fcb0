"""Which earlier runs did as much work as this one will: only their times and sizes say something of it."""

from collections.abc import Mapping
from typing import Any

from stemma.lineage.explain import flat
from stemma.lineage.index import is_data
from stemma.lineage.runs import Run
from stemma.stage.definition import ARTIFACTS

WORK = ("base", "data")
"""Sections that say which model, which context and which rows a run works with."""
PLACES = ("files",)
"""Settings that name places; what lies there is compared instead."""
RECENT_RUNS = 20
"""So many of the newest runs are looked at, for each costs the reading of two files from Git."""


def is_comparable(run: Run, settings: Mapping[str, Any], inputs: Mapping[str, str | None]) -> bool:
    """Whether a run had the same model, context and rows.

    `settings` are this run's values by section, `inputs` the DVC ids of its raw inputs by path. What an earlier version
    of Stemma did not record is not held against a run.
    """
    before = {section: flat(run.params.get(section, {})) for section in WORK}
    now = {section: flat(settings.get(section, {})) for section in WORK}
    differs = any(
        before[section].get(key, value) != value
        for section in WORK
        for key, value in now[section].items()
        if key not in PLACES
    )
    return not differs and all(_raw_inputs(run).get(path, md5) == md5 for path, md5 in inputs.items() if md5)


def raw_inputs_of(deps: list[dict[str, Any]]) -> dict[str, str | None]:
    """The DVC ids of the raw inputs among a stage's dependencies, by path."""
    return {
        dep["path"]: dep.get("md5")
        for dep in deps
        if is_data(dep["path"]) and not dep["path"].startswith(f"{ARTIFACTS}/")
    }


def _raw_inputs(run: Run) -> dict[str, str | None]:
    return {path: md5 for entry in run.lock.values() for path, md5 in raw_inputs_of(entry.get("deps", [])).items()}
