"""What an audit looks at: a model, its family with the raw data first, and the records of the runs in it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stemma.errors import WorkspaceError
from stemma.lineage.chain import Link
from stemma.lineage.family import Family, Member, family_of
from stemma.lineage.git import Git
from stemma.lineage.index import Index
from stemma.lineage.names import Model
from stemma.lineage.raw_files import RawFile, id_of, raw_files
from stemma.lineage.registry import MODELS, Registered, Registry, models, registered
from stemma.lineage.store import Store
from stemma.verification.record import Record, read_records

Say = Callable[[str], None]
"""Told how far a long audit has come."""


@dataclass(frozen=True)
class RegisteredModel:
    """A registered model with its acts, oldest first."""

    now: Registered
    acts: Sequence[Link]

    @property
    def ref(self) -> str:
        """The Git ref of its chain."""
        return f"{MODELS}{self.now.name}"

    @property
    def artifacts(self) -> set[str]:
        """The artifacts that are registered, or were by an act of old: a rewritten act may have dropped one."""
        of_old = [
            link.act["version"].get("artifact") for link in self.acts if isinstance(link.act.get("version"), dict)
        ]
        return {version.artifact for version in self.now.versions.values()} | {str(artifact) for artifact in of_old}


@dataclass(frozen=True)
class Subject:
    """A model under audit."""

    root: Path
    index: Index
    store: Store
    model: Model
    say: Say

    @cached_property
    def family(self) -> Family:
        """The model and all that it was made from."""
        return family_of(self.index, self.model)

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """The family, the raw data first: no member comes before what it was made from."""
        return raw_first(self.family)

    @cached_property
    def records(self) -> dict[str, Record]:
        """What the commits of the family's runs hold, by commit."""
        return read_records(self.root, [member.run for member in self.members if member.run])

    @cached_property
    def raw(self) -> dict[str, list[RawFile] | None]:
        """The raw files of each raw input, by its DVC id; None where its run's commit does not hold them."""
        return {member.dvc_id: self._raw_files(member) for member in self.members if member.derivation is None}

    @cached_property
    def all_registered(self) -> list[RegisteredModel]:
        """Every registered model whose chain is readable."""
        return [model for model in self._chains.values() if isinstance(model, RegisteredModel)]

    @cached_property
    def unreadable(self) -> dict[str, str]:
        """Why a registered model's chain is not readable, by its ref."""
        return {f"{MODELS}{name}": why for name, why in self._chains.items() if isinstance(why, str)}

    @cached_property
    def registered(self) -> list[RegisteredModel]:
        """The registered models that the family belongs to."""
        members = self.family.members.keys()
        return [m for m in self.all_registered if m.now.name == self.model.registered or m.artifacts & members]

    @cached_property
    def _chains(self) -> dict[str, RegisteredModel | str]:
        found: dict[str, RegisteredModel | str] = {}
        for name in models(self.root):
            registry = Registry(self.root, name)
            try:
                acts = registry.acts()
                found[name] = RegisteredModel(registered(name, acts[-1].state if acts else {}), acts)
            except WorkspaceError as error:
                found[name] = str(error)
            except (TypeError, ValueError, AttributeError) as error:
                found[name] = f"its newest act holds no state of Stemma's: {error}"
        return found

    @cached_property
    def git_remote(self) -> str | None:
        """The Git remote that runs and registered models are pushed to."""
        return Git(self.root).remote()

    def record_of(self, member: Member) -> Record:
        """The record that tells of a member: a raw input stands in that of the run that took it in."""
        run = member.run or next(m.run for m in self.members if m.run and member.dvc_id in m.parents)
        return self.records[run.commit]

    def rebuilt_by(self, member: Member) -> str:
        """The command that makes a member's bytes again."""
        record = self.record_of(member)
        if member.derivation is None:
            return f"`dvc add` the same files again under {member.name}; their bytes are on no record but the remote's"
        return f"`dvc exp apply {record.run.name}; dvc repro {record.address(member.name)}` makes it again"

    def _raw_files(self, member: Member) -> list[RawFile] | None:
        record = self.record_of(member)
        files = raw_files(self.root, record.run.commit, member.name)
        # What DVC tracks under the folder was there while the run went on only where the settings name it.
        taken_in = set((record.params.get("data") or {}).get("files") or ())
        present = [file for file in files if not file.cached or f"{member.name}/{file.path}" in taken_in]
        return next((variant for variant in (present, files) if variant and id_of(variant) == member.dvc_id), None)


def raw_first(family: Family) -> tuple[Member, ...]:
    """The members by how far they are from raw data, at the longest; raw data is at 0."""
    height: dict[str, int] = {}
    waiting = [family.root]
    while waiting:
        member = family.members[waiting[-1]]
        unknown = [parent for parent in member.parents if parent not in height]
        if unknown:
            waiting += unknown
        else:
            height[waiting.pop()] = 1 + max((height[parent] for parent in member.parents), default=-1)
    return tuple(sorted(family.members.values(), key=lambda member: (height[member.dvc_id], member.name)))


def short(member: Member) -> str:
    """What to call a member: `sft cfd91f8bdc`."""
    return f"{member.name} {member.dvc_id[:10]}"
