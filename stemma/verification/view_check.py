"""What MLflow shows of the registered models against what Git says; Git is right."""

from collections.abc import Iterator, Mapping

from stemma.errors import ServiceError
from stemma.lineage.registry import Version
from stemma.verification.fault import Fault, Kind
from stemma.verification.registry_check import chain_fault
from stemma.verification.subject import RegisteredModel, Subject
from stemma.view.difference import FREE, OURS
from stemma.view.shown import Shown, shown_model
from stemma.view.version_facts import version_tags

REMEDY = "`stemma reconcile` makes MLflow follow Git"


def check_view(subject: Subject) -> tuple[list[Fault], list[str]]:
    """Compare versions, tags and aliases; returns the faults, and what could not be looked at."""
    faults: list[Fault] = []
    for model in subject.registered:
        if chain_fault(model):
            return faults, [f"MLflow was not looked at: the acts of {model.now.name} in Git have to be put right first"]
        try:
            shown = shown_model(subject.root, model.now.name)
        except ServiceError as error:
            return faults, [f"MLflow was not looked at: {error}"]
        if shown is None:
            return faults, ["MLflow was not looked at: this project has no MLflow store yet"]
        faults += _version_faults(subject, model, shown)
        faults += _alias_faults(model, shown)
    return faults, []


def _version_faults(subject: Subject, model: RegisteredModel, shown: Shown) -> Iterator[Fault]:
    name, versions = model.now.name, model.now.versions
    known = version_tags(subject.root, subject.index, name)
    for number in sorted({*versions, *shown.versions}):
        place = f"{shown.uri}, {name} version {number}"
        if number not in shown.versions:
            words = f"MLflow does not show {name}/{number}, artifact {versions[number].artifact}"
            yield Fault(Kind.VERSION, place, words, REMEDY, _member(subject, versions[number]))
        elif number not in versions:
            words = f"MLflow shows {name}/{number}, which Git does not have"
            yield Fault(Kind.VERSION, place, words, f"{REMEDY}, with --drop-unknown where it is to go")
        else:
            for key, have, want in _tag_faults(shown.versions[number], known[number]):
                words = f"tag {key} of {name}/{number} is {have!r}, Git says {want!r}"
                yield Fault(Kind.TAG, f"{place}, tag {key}", words, REMEDY, _member(subject, versions[number]))


def _tag_faults(have: Mapping[str, str], want: Mapping[str, str]) -> Iterator[tuple[str, str | None, str | None]]:
    """The tags that differ, with what MLflow has and what Git says; a tag that people made is theirs."""
    ours = {key for key in have if key.startswith(OURS)} - FREE
    for key in sorted({*want, *ours}):
        if have.get(key) != want.get(key):
            yield key, have.get(key), want.get(key)


def _alias_faults(model: RegisteredModel, shown: Shown) -> Iterator[Fault]:
    name, aliases = model.now.name, model.now.aliases
    for alias in sorted({*aliases, *shown.aliases}):
        have, want = shown.aliases.get(alias), aliases.get(alias)
        if have != want:
            words = f"{name}@{alias} is {_called(name, have)} in MLflow, {_called(name, want)} in Git"
            artifact = model.now.versions[want].artifact if want in model.now.versions else ""
            yield Fault(Kind.ALIAS, f"{shown.uri}, {name}@{alias}", words, REMEDY, artifact)


def _called(name: str, number: int | None) -> str:
    return "nowhere" if number is None else f"{name}/{number}"


def _member(subject: Subject, version: Version) -> str:
    return version.artifact if version.artifact in subject.family.members else ""
