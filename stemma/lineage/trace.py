"""What made a model: its family, with settings, code, run and labellers of every artifact."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import Any

from stemma.config import Values
from stemma.lineage.explain import flat
from stemma.lineage.family import Family, Member, family_of, size_text, tree_lines
from stemma.lineage.forgotten import taints
from stemma.lineage.index import Index
from stemma.lineage.names import Model
from stemma.lineage.store import Store

LABELS = ("verdicts.jsonl", "comparisons.jsonl")
"""Where a labeller's name stands: in every verdict, or where none is on record, with the comparison."""
LABELLED = ("label", "ai_label")
"""Stages whose artifacts hold labels."""


@dataclass(frozen=True)
class Fact:
    """What is known of one artifact of a family."""

    name: str
    dvc_id: str
    size: int
    """Bytes."""
    command: str
    made_by: str
    """The run that made the bytes; empty for a raw input."""
    code: str
    """The commit of that run's code."""
    dirty: bool
    """Whether that run took code that was not committed."""
    settings: dict[str, tuple[Any, Any]]
    """Settings that differ from the defaults: key → (default, value)."""
    labellers: dict[str, int]
    """Annotators and judges with the number of their verdicts."""
    origin: str
    """Of a base model: `from scratch, seed 0`, or where it was fetched and which version, `OWNER/NAME@commit`."""
    made_from: tuple[str, ...]
    taint: str
    """Why it is tainted: it holds what was forgotten on request, or descends from what does; else empty."""


@dataclass(frozen=True)
class Trace:
    """A model's whole story."""

    title: str
    run: str
    experiment: str
    """The commit of the run's experiment."""
    aliases: tuple[str, ...]
    family: Family
    facts: dict[str, Fact]
    """By DVC id, nearest first."""


def trace(index: Index, store: Store, model: Model, defaults: Values, whole: bool = False) -> Trace:
    """Gather what made a model. `defaults` are the settings' defaults, section by section.

    Placeholders, which hold nothing, are left out unless the `whole` family is asked for.
    """
    family = family_of(index, model) if whole else family_of(index, model).shown()
    tainted = taints(index.root)
    facts = {
        dvc_id: _fact(index, store, member, defaults, tainted.get(dvc_id, ""))
        for dvc_id, member in family.members.items()
    }
    return Trace(model.title, model.run.name, model.run.commit, model.aliases, family, facts)


def as_json(told: Trace) -> dict[str, Any]:
    """The trace as plain values."""
    return {
        "model": told.title,
        "run": told.run,
        "experiment": told.experiment,
        "aliases": list(told.aliases),
        "artifact": told.family.root,
        "artifacts": [asdict(fact) for fact in told.facts.values()],
        "code": told.family.code(),
    }


def page(told: Trace) -> str:
    """The trace for people: the tree, then what is known of each artifact."""
    named = f" ({', '.join(told.aliases)})" if told.aliases else ""
    lines = [f"{told.title}{named}: {told.family.members[told.family.root].name} {told.family.root}", ""]
    lines += tree_lines(told.family)
    for fact in told.facts.values():
        lines += ["", *fact_lines(fact)]
    return "\n".join([*lines, "", f"Record: experiment {told.run}, commit {told.experiment[:10]}."])


def fact_lines(fact: Fact) -> list[str]:
    """What is known of one artifact."""
    lines = [f"{fact.name} {fact.dvc_id}, {size_text(fact.size)}"]
    if fact.taint:
        lines.append(f"  TAINTED: {fact.taint}")
    if fact.made_by:
        dirty = " with uncommitted changes" if fact.dirty else ""
        lines.append(f"  made by run {fact.made_by}, code {fact.code[:10]}{dirty}: {fact.command}")
    if fact.origin:
        lines.append(f"  {fact.origin}")
    lines += [f"  {key} is {value!r}, by default {default!r}" for key, (default, value) in fact.settings.items()]
    if fact.labellers:
        lines.append("  labelled by " + ", ".join(f"{name} ({count})" for name, count in fact.labellers.items()))
    return lines


def _fact(index: Index, store: Store, member: Member, defaults: Values, taint: str) -> Fact:
    if member.derivation is None or member.run is None:
        return Fact(member.name, member.dvc_id, member.size, "", "", "", False, {}, {}, "", (), taint)
    made_by = index.maker(member.name, member.dvc_id) or member.run
    entry = member.derivation.entry
    used = entry.get("params", {}).get("params.yaml", {})
    return Fact(
        member.name,
        member.dvc_id,
        member.size,
        entry["cmd"],
        made_by.name,
        made_by.baseline,
        made_by.dirty,
        changed_settings(used, defaults),
        labellers(store, member.name, member.dvc_id),
        base_origin(used) if member.name == "base" else "",
        member.parents,
        taint,
    )


def changed_settings(used: Mapping[str, Any], defaults: Values) -> dict[str, tuple[Any, Any]]:
    """The settings that differ from the defaults; what has no default, or is left to the machine, is not told."""
    values, usual = flat(used), {key: value for key, value in flat(defaults).items() if value != "auto"}
    return {key: (usual[key], value) for key, value in values.items() if key in usual and usual[key] != value}


def base_origin(settings: Mapping[str, Any]) -> str:
    """Where a base model comes from, by the settings of its stage."""
    base = settings.get("base", {})
    if base.get("source", "scratch") == "scratch":
        return f"from scratch, seed {settings.get('seed', 0)}"
    revision = f"@{base['revision']}" if base.get("revision") else ""
    model = base.get("model", "")
    return f"{PurePath(model).name if base['source'] == 'folder' else model}{revision}"


def labellers(store: Store, stage: str, dvc_id: str) -> dict[str, int]:
    """Who labelled an artifact, with the number of verdicts; empty where nobody did or its bytes are nowhere here."""
    if stage not in LABELLED:
        return {}
    for file in LABELS:
        rows = (store.read(dvc_id, file) or b"").splitlines()
        if rows:
            return dict(sorted(Counter(_labeller(json.loads(row)) for row in rows).items()))
    return {}


def _labeller(row: Mapping[str, Any]) -> str:
    """Who gave a verdict: a person by name, an AI judge as such."""
    judge = row.get("judge")
    return str(row.get("annotator") or (f"judge {judge}" if judge else "unnamed"))
