"""What MLflow has to say of a registered version, as Git tells it: tags, and a description in words."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stemma.config import Values
from stemma.lineage.chain import Link
from stemma.lineage.family import Member, family_of
from stemma.lineage.forgotten import taints
from stemma.lineage.git import Git
from stemma.lineage.index import Index
from stemma.lineage.names import model_of
from stemma.lineage.registry import CHAMPION, PREVIOUS, Registered, Registry, Version
from stemma.lineage.runs import Run
from stemma.lineage.show import RESULTS
from stemma.lineage.store import Store
from stemma.lineage.trace import trace
from stemma.view.model_page import ADDRESS, model_description
from stemma.view.origin import Origin, origin_of
from stemma.view.run_page import TREE

SETTINGS_OF_CHAMPION = 8
"""As many settings off their default as the registered model's page names of its champion."""
LIMIT = 4900
"""MLflow's database has room for 5000 characters."""


@dataclass(frozen=True)
class VersionFacts:
    """What is known of one version."""

    version: Version
    tags: Mapping[str, str]
    words: str
    """Its description, but for the place of its tree."""

    def description(self, experiment: str, parent: str) -> str:
        """Its description; `parent` is the parent run of the run that made it."""
        page = f"#/experiments/{experiment}/runs/{parent}"
        words = f"[Its run, with all numbers and settings]({page}) · [Its family tree]({page}/artifacts/{TREE})"
        return f"{self.words}\n\n{words}"[:LIMIT]


@dataclass(frozen=True)
class ModelFacts:
    """What is known of a registered model."""

    registered: Registered
    versions: dict[int, VersionFacts]
    description: str
    """Its page: the champion, the one before, and every act."""


def model_facts(root: Path, index: Index, store: Store, model: str, defaults: Values) -> ModelFacts:
    """Gather what is known of a registered model's versions and aliases; `defaults` are the settings' defaults."""
    registry = Registry(root, model)
    acts = registry.acts()
    now = registry.at(acts[-1] if acts else None)
    tags, metrics = version_tags(root, index, model), _evaluations(root, now)
    facts, labelled, champion = {}, {}, []
    for number, version in sorted(now.versions.items()):
        run = index.run(version.commit)
        told = trace(index, store, model_of(index, now, version), defaults)
        origin = origin_of(told, run, defaults)
        labelled[number] = tuple(origin.labellers)
        if number == now.aliases.get(CHAMPION):
            champion = [_made(run), _evaluated(metrics[number]), *origin.paragraphs(SETTINGS_OF_CHAMPION)]
        facts[number] = VersionFacts(version, tags[number], _words(run, version, metrics[number], tags[number], origin))
    return ModelFacts(now, facts, model_description(now, acts, champion, labelled))


def version_tags(root: Path, index: Index, model: str) -> dict[int, dict[str, str]]:
    """The tags of a registered model's versions: few, for MLflow's table shows them all."""
    registry = Registry(root, model)
    acts = registry.acts()
    now = registry.at(acts[-1] if acts else None)
    told, tainted = _verdicts(acts), _taints(root, index, now)
    return {
        number: {
            "stemma.run": version.run,
            "stemma.dvc_id": version.artifact,
            **({"stemma.verdict": told[number]} if number in told else {}),
            **({"stemma.taint": tainted[number]} if number in tainted else {}),
        }
        for number, version in now.versions.items()
    }


def _made(run: Run) -> str:
    code = f"`{run.baseline}`" + (" with uncommitted changes" if run.dirty else "")
    return f"Policy of run **{run.name}** (flow {run.flow}, {run.created:%Y-%m-%d %H:%M} UTC). **Code commit:** {code}."


def _evaluated(metrics: Mapping[str, float]) -> str:
    rated = [f"{words} {_number(metrics, key)}" for key, words in RESULTS.items() if key in metrics]
    return f"**Evaluation:** {'; '.join(rated) or 'none'}."


def _words(run: Run, version: Version, metrics: Mapping[str, float], tags: Mapping[str, str], origin: Origin) -> str:
    verdict, taint = tags.get("stemma.verdict", ""), tags.get("stemma.taint", "")
    paragraphs = [
        *([f"**Tainted:** {taint}."] if taint else []),
        _made(run),
        f"**Verdict:** {ADDRESS.sub('', verdict)}." if verdict else "No verdict yet (`stemma promote`).",
        _evaluated(metrics),
        *origin.paragraphs(),
        f"DVC id `{version.artifact}`; `dvc exp apply {run.name}` brings its files to artifacts/{version.stage}.",
    ]
    return "\n\n".join(paragraphs)


def _number(metrics: Mapping[str, float], name: str) -> str:
    low, high = metrics.get(f"{name}_low"), metrics.get(f"{name}_high")
    return f"{metrics[name]:.3g}" + (f" [{low:.3g}, {high:.3g}]" if low is not None and high is not None else "")


def _verdicts(acts: Sequence[Link]) -> dict[int, str]:
    """The newest act on each version, in words."""
    told: dict[int, str] = {}
    for before, link in zip([None, *acts], acts, strict=False):
        act, signed = link.act, f"by {link.author} on {link.when:%Y-%m-%d %H:%M} UTC: {link.act.get('reason', '')}"
        forced = ", by force," if act.get("forced") else ""
        for alias, number in act.get("moves", {}).items():
            if alias == PREVIOUS:
                continue
            old = (before.state if before else {}).get("aliases", {}).get(alias)
            if act["act"] == "rollback":
                told[number] = f"put back as {alias} {signed}"
                if old and old != number:
                    told[old] = f"taken back from {alias} {signed}"
            else:
                told[number] = f"promoted to {alias}{forced} {signed}"
        if act["act"] == "refuse":
            told[act["to"]] = f"refused {signed}"
    return told


def _taints(root: Path, index: Index, now: Registered) -> dict[int, str]:
    """Why versions are tainted: for their own sake, or for what they were made from."""
    tainted = taints(root)
    found = {}
    for number, version in now.versions.items() if tainted else ():
        members = family_of(index, model_of(index, now, version)).members.values()
        told = [_taint(member, version, tainted[member.dvc_id]) for member in members if member.dvc_id in tainted]
        if told:
            found[number] = told[0]
    return found


def _taint(member: Member, version: Version, reason: str) -> str:
    return reason if member.dvc_id == version.artifact else f"made from {member.name} {member.dvc_id[:10]}: {reason}"


def _evaluations(root: Path, now: Registered) -> dict[int, dict[str, float]]:
    """The numbers of each version's evaluation, read in one go."""
    files = {number: f"{v.commit}:metrics/eval_{v.stage}.json" for number, v in now.versions.items()}
    texts = Git(root).contents(list(files.values()))
    return {number: json.loads(texts[file] or "{}") for number, file in files.items()}
