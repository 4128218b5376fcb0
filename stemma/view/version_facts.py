"""What MLflow has to say of a registered version, as Git tells it: tags, and a description in words."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stemma.lineage.chain import Link
from stemma.lineage.family import Member, family_of
from stemma.lineage.forgotten import taints
from stemma.lineage.git import Git
from stemma.lineage.index import Index
from stemma.lineage.names import model_of
from stemma.lineage.registry import Registered, Registry, Version
from stemma.lineage.runs import Run
from stemma.view.facts import source_tags
from stemma.view.model_page import ADDRESS, model_description

TREE = "lineage/tree.html"
"""Where the page of a version's family tree lies among the files of its policy's run in MLflow."""
JUDGES = {"gold/win_rate": "the gold rule", "judge/win_rate": "the judge"}


@dataclass(frozen=True)
class VersionFacts:
    """What is known of one version."""

    version: Version
    tags: Mapping[str, str]
    words: str
    """Its description, but for the place of its tree."""

    def description(self, experiment: str, child: str) -> str:
        """Its description; `child` is the run in MLflow that holds the page of its tree."""
        page = f"#/experiments/{experiment}/runs/{child}/artifacts/{TREE}"
        return f"{self.words}\n\n[Its family tree, back to the raw data]({page}): file `{TREE}` of its source run."


@dataclass(frozen=True)
class ModelFacts:
    """What is known of a registered model."""

    registered: Registered
    versions: dict[int, VersionFacts]
    description: str
    """Its page: the champion, the one before, and every act."""


def model_facts(root: Path, index: Index, model: str) -> ModelFacts:
    """Gather what is known of a registered model's versions and aliases."""
    registry = Registry(root, model)
    acts = registry.acts()
    now = registry.at(acts[-1] if acts else None)
    told = _verdicts(acts)
    tainted = _taints(root, index, now)
    metrics = _evaluations(root, now)
    facts = {}
    for number, version in sorted(now.versions.items()):
        run = index.run(version.commit)
        verdict, taint = told.get(number, ""), tainted.get(number, "")
        tags = {
            **source_tags(run),
            "stemma.experiment_commit": version.commit,
            "stemma.dvc_id": version.artifact,
            "stemma.version": str(number),
            **({"stemma.verdict": verdict} if verdict else {}),
            **({"stemma.taint": taint} if taint else {}),
        }
        facts[number] = VersionFacts(version, tags, _words(run, version, metrics[number], verdict, taint))
    return ModelFacts(now, facts, model_description(now, acts))


def _words(run: Run, version: Version, metrics: Mapping[str, float], verdict: str, taint: str) -> str:
    code = f"`{run.baseline[:10]}`" + (" with uncommitted changes" if run.dirty else "")
    rated = [(key, judge) for key, judge in JUDGES.items() if key in metrics]
    paragraphs = [
        *([f"**Tainted:** {taint}."] if taint else []),
        f"Policy of run **{run.name}** (flow {run.flow}, {run.created:%Y-%m-%d %H:%M} UTC), code commit {code}.",
        *(f"Win rate against SFT by {judge}: {_number(metrics, key)}." for key, judge in rated),
        f"Verdict: {ADDRESS.sub('', verdict)}." if verdict else "No verdict yet (`stemma promote`).",
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
            if alias == "previous":
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
