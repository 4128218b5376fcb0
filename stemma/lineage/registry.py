"""The registered models: versions, aliases and every act on them, on one Git ref a model.

Git is the truth and MLflow follows. A version names its experiment's commit, and the chain keeps that commit alive: a
registered model outlives `dvc exp remove`.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stemma.errors import WorkspaceError
from stemma.lineage.chain import Chain, ChainMovedError, Document, Link
from stemma.lineage.git import Git
from stemma.stage.locks import lock

MODELS = "refs/stemma/models/"
CHAMPION = "champion"
PREVIOUS = "previous"
"""What was champion before its last move, whether that was a promotion or a rollback; absent before a second one."""
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
"""What an alias and an artifact's id look like; both become names of files."""
TRIES = 20


@dataclass(frozen=True)
class Version:
    """One version of a registered model."""

    number: int
    run: str
    commit: str
    """The commit of the run's experiment."""
    stage: str
    artifact: str
    """The policy's DVC id."""


@dataclass(frozen=True)
class Registered:
    """What holds for a registered model: its versions and where its aliases point."""

    name: str
    versions: dict[int, Version] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)

    def aliases_of(self, number: int) -> list[str]:
        """The aliases that point at a version."""
        return sorted(alias for alias, target in self.aliases.items() if target == number)


class Registry:
    """One registered model of a project."""

    def __init__(self, root: Path, model: str, ref: str = "") -> None:
        self.model = model
        self._lock = root / ".stemma" / "registry.lock"
        self.ref = ref or f"{MODELS}{model}"
        """The Git ref of its chain."""
        self._chain = Chain(root, self.ref)

    def read(self) -> Registered:
        """What holds now."""
        return self.at(self._chain.head())

    def at(self, link: Link | None) -> Registered:
        """What held after a link."""
        return checked(registered(self.model, link.state if link else {}))

    def head(self) -> Link | None:
        """The newest act."""
        return self._chain.head()

    def acts(self) -> list[Link]:
        """Every act, oldest first."""
        return self._chain.links()

    def register(self, run: str, commit: str, stage: str, artifact: str) -> Version:
        """Register a run's policy as a new version; a run's policy is registered once, however often this is called."""

        def act(now: Registered) -> Document | None:
            if any((v.commit, v.stage) == (commit, stage) for v in now.versions.values()):
                return None
            version = Version(max(now.versions, default=0) + 1, run, commit, stage, artifact)
            return {"act": "register", "version": asdict(version)}

        now = self._retry(act, f"register {self.model}: {stage} of run {run}", keeps=[commit])
        return next(v for v in now.versions.values() if (v.commit, v.stage) == (commit, stage))

    def move(self, after: Link | None, title: str, act: Document) -> Link:
        """Move aliases as the act says, if `after` is still the newest act.

        Raises ChainMovedError where it is not, WorkspaceError where a version is not there.
        """
        state = applied(after.state if after else {}, act)
        checked(registered(self.model, state))
        return self._chain.append(after, title, act, state)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the one process of this clone that adds acts and hands them on: none is built on and then taken back."""
        with lock(self._lock):
            yield

    def take_back(self, link: Link, before: Link | None) -> None:
        """Undo the newest act, which no other clone has seen."""
        self._chain.take_back(link, before)

    def _retry(self, make: Callable[[Registered], Document | None], title: str, keeps: list[str]) -> Registered:
        for _ in range(TRIES):
            head = self._chain.head()
            act = make(self.at(head))
            if act is None:
                return self.at(head)
            try:
                state = applied(head.state if head else {}, act)
                return self.at(self._chain.append(head, title, act, state, keeps))
            except ChainMovedError:
                continue
        raise WorkspaceError(f"{self.ref} moves all the time; try again when fewer runs end at once")


def applied(state: Document, act: Document) -> Document:
    """The state after an act."""
    after: dict[str, Any] = {"versions": dict(state.get("versions", {})), "aliases": dict(state.get("aliases", {}))}
    if act["act"] == "register":
        after["versions"][str(act["version"]["number"])] = act["version"]
    for alias, number in act.get("moves", {}).items():
        after["aliases"][alias] = number
    return after


def registered(model: str, state: Document) -> Registered:
    """A state's JSON as what it means."""
    versions = {int(number): Version(**version) for number, version in state.get("versions", {}).items()}
    aliases = dict(state.get("aliases", {}))
    return Registered(model, versions, aliases)


def checked(now: Registered) -> Registered:
    """What holds, if an act may rest on it: its names become names of files, and its aliases must lead somewhere.

    Raises WorkspaceError where somebody else wrote it.
    """
    names = [*now.aliases, *(version.artifact for version in now.versions.values())]
    faults = [name for name in names if not PLAIN.fullmatch(name)]
    faults += [alias for alias, number in now.aliases.items() if number not in now.versions]
    if faults:
        raise WorkspaceError(
            f"{MODELS}{now.name} holds what Stemma does not write: {', '.join(map(repr, faults))}. Look with "
            f"`git log {MODELS}{now.name}`; `git update-ref` puts the ref back to the last commit that is right"
        )
    return now


def models(root: Path) -> list[str]:
    """Names of the registered models."""
    listed = Git(root).run("for-each-ref", "--format=%(refname)", MODELS)
    return [ref.removeprefix(MODELS) for ref in listed.split()]
