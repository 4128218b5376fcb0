"""Everything that the documents of an export are made from, gathered once, so that they cannot disagree.

Nothing here depends on when, where or under which of its names a model is exported.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from stemma.config import Values
from stemma.errors import ArtifactError
from stemma.export.libraries import Library, libraries_of
from stemma.export.numbers import Number, numbers_of
from stemma.export.outside import Fetched, RawFile, fetched_base, raw_files_of
from stemma.lineage.environment import AUTHOR
from stemma.lineage.family import Family
from stemma.lineage.forgotten import taints
from stemma.lineage.index import Index
from stemma.lineage.names import Model
from stemma.lineage.registry import Registry, models
from stemma.lineage.runs import Run
from stemma.lineage.store import Store
from stemma.lineage.trace import Fact, Trace, trace
from stemma.serving.model_files import ModelFiles, artifacts_of, model_files
from stemma.stage.manifest import MANIFEST

MODELS = {
    "base": "self-supervised",
    "sft": "supervised",
    "judge": "supervised",
    "reward": "supervised",
    "ppo": "reinforcement-learning",
    "dpo": "supervised",
}
"""Stages whose artifact is a model, with how it learns."""


@dataclass(frozen=True)
class Made:
    """One artifact of the family, with what vouches for it."""

    fact: Fact
    run: Run
    """The run that made its bytes."""
    settings: Values
    """Every setting that it was made with."""
    sha256: str
    """Of its manifest, which holds the sha256 of each of its files and of the manifests that it was made from."""
    vouched: frozenset[str]
    """The sha256s of the manifests that it was made from, by its own manifest."""
    author: str
    """Who is on record as the run's author; empty where nobody is."""

    @property
    def is_model(self) -> bool:
        """Whether it is a model; otherwise it is data."""
        return self.fact.name in MODELS

    @property
    def simulated(self) -> bool:
        """Whether simulated annotators labelled it."""
        return bool(self.fact.labellers) and self.settings.get("label", {}).get("source") == "simulated"

    @property
    def fetched(self) -> Fetched | None:
        """The base model from elsewhere that it was made from."""
        return fetched_base(self.settings)

    @property
    def code(self) -> str:
        """The commit that holds the code it was made with: the run's own where that was not committed before."""
        return self.run.commit if self.run.dirty else self.run.baseline


@dataclass(frozen=True)
class Story:
    """A model and all that is told of it."""

    told: Trace
    run: Run
    """The run that has the model."""
    made: dict[str, Made]
    """The family by DVC id, nearest first, without raw inputs."""
    raw: dict[str, tuple[RawFile, ...]]
    """The files of each raw input, by the input's DVC id."""
    fetched: tuple[Fetched, ...]
    numbers: tuple[Number, ...]
    libraries: tuple[Library, ...]
    files: ModelFiles
    """The files that are given away."""

    @property
    def model(self) -> Made:
        """The model itself."""
        return self.made[self.told.family.root]


def gather(root: Path, index: Index, store: Store, model: Model, defaults: Values) -> Story:
    """Gather a model's story. `defaults` are the settings' defaults, section by section.

    Raises ArtifactError where the artifact is no model, where it is tainted, or where what vouches for its family is
    missing or does not fit together.
    """
    if model.derivation.stage not in MODELS:
        raise ArtifactError(f"{model.title} is no model but data; name one of its descendants (`stemma impact`)")
    family = trace(index, store, model, defaults, whole=True)
    told = replace(family, title=_title(root, model), aliases=(), facts=_without_places(family.facts))
    _refuse_tainted(root, told)
    made = {dvc_id: _made(index, store, told, dvc_id) for dvc_id, m in told.family.members.items() if m.derivation}
    _check_vouchers(told.family, made)
    return Story(
        told=told,
        run=model.run,
        made=made,
        raw=_raw(root, store, told.family, made),
        fetched=tuple(dict.fromkeys(one.fetched for one in made.values() if one.fetched)),
        numbers=numbers_of(model, index.of_run(model.run.commit)),
        libraries=libraries_of(model.run),
        files=model_files(store, artifacts_of(index, model.run.commit), model.derivation.stage),
    )


def _title(root: Path, model: Model) -> str:
    """The model's registered name, whatever it was asked for by: `policy/7`, or else `ppo of run calm`."""
    stage, run = model.derivation.stage, model.run
    named = [
        f"{name}/{version.number}"
        for name in models(root)
        for version in Registry(root, name).read().versions.values()
        if (version.commit, version.stage) == (run.commit, stage)
    ]
    return ", ".join(named) or f"{stage} of run {run.name}"


def _refuse_tainted(root: Path, told: Trace) -> None:
    tainted = taints(root)
    for dvc_id, fact in told.facts.items():
        if dvc_id in tainted:
            raise ArtifactError(
                f"{told.title} may not be given away: {fact.name} {dvc_id} in its family is tainted "
                f"({tainted[dvc_id]}). Export a model that was trained anew without it"
            )


def _made(index: Index, store: Store, told: Trace, dvc_id: str) -> Made:
    member, fact = told.family.members[dvc_id], told.facts[dvc_id]
    run = index.maker(member.name, dvc_id) or member.run
    if member.derivation is None or run is None:
        raise ArtifactError(f"{fact.name} {dvc_id} is a raw input, and nothing made it")
    content = _manifest(store, fact)
    vouched = frozenset(json.loads(content)["inputs"].values())
    settings = _placeless(member.derivation.entry.get("params", {}).get("params.yaml", {}))
    return Made(fact, run, settings, hashlib.sha256(content).hexdigest(), vouched, _author(run))


def _author(run: Run) -> str:
    commit = run.git.contents([run.commit])[run.commit] or ""
    found = re.search(r"^author (.*) <.*> \d+ \S+$", commit, re.MULTILINE)
    name = found.group(1) if found else ""
    return "" if name == AUTHOR["GIT_AUTHOR_NAME"] else name


def _manifest(store: Store, fact: Fact) -> bytes:
    md5 = (store.files(fact.dvc_id) or {}).get(MANIFEST)
    content = store.read(fact.dvc_id, MANIFEST)
    if content is None or hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise ArtifactError(
            f"no good copy of the manifest of {fact.name} {fact.dvc_id} is in the DVC cache or on a remote, so nothing "
            "vouches for it. Fetch it with `dvc pull`, or see what else is wrong with `stemma verify`"
        )
    return content


def _check_vouchers(family: Family, made: Mapping[str, Made]) -> None:
    for dvc_id, one in made.items():
        parents = {made[parent].sha256 for parent in family.members[dvc_id].parents if parent in made}
        if not one.vouched <= parents:
            raise ArtifactError(
                f"the manifest of {one.fact.name} {dvc_id} names other inputs than the record of run {one.run.name}; "
                "see what is wrong with `stemma verify`"
            )


def _raw(root: Path, store: Store, family: Family, made: Mapping[str, Made]) -> dict[str, tuple[RawFile, ...]]:
    found = {}
    for dvc_id, one in made.items():
        for parent in family.members[dvc_id].parents:
            if parent not in made and parent not in found:
                path = family.members[parent].name
                found[parent] = tuple(raw_files_of(root, store, one.run.commit, path))
    return found


def _without_places(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    return {dvc_id: replace(fact, settings=_placeless(fact.settings)) for dvc_id, fact in facts.items()}


def _placeless(value: Any) -> Any:
    """Settings with the name alone of what lies in a folder of some machine: an export tells no places."""
    if isinstance(value, Mapping):
        return {key: _placeless(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_placeless(part) for part in value)
    if isinstance(value, str) and value.startswith(("/", "~")):
        return PurePath(value).name
    return value
