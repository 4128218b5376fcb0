"""What a person calls a model, and which artifact of which run that is. Nothing is guessed."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from stemma.errors import WorkspaceError
from stemma.lineage.clone import fetch_hint
from stemma.lineage.index import Derivation, Index
from stemma.lineage.registry import Registered, Registry, Version, models
from stemma.lineage.runs import Run

FEWEST_DIGITS = 4
HEXADECIMAL = re.compile(r"[0-9a-f]{4,40}(\.dir)?")


@dataclass(frozen=True)
class Model:
    """An artifact as a run has it."""

    run: Run
    derivation: Derivation
    version: Version | None = None
    registered: str = ""
    """The registered model's name, where it was named by version or alias."""
    aliases: tuple[str, ...] = ()
    """The aliases of that version."""

    @property
    def title(self) -> str:
        """What to call it: `policy/7`, or `ppo of run calm`."""
        if self.version:
            return f"{self.registered}/{self.version.number}"
        return f"{self.derivation.stage} of run {self.run.name}"


def find_model(root: Path, index: Index, name: str) -> Model:
    """The artifact that a name means: NAME@ALIAS, NAME/VERSION, a run, an experiment's commit, or a DVC id.

    An id or commit may be shortened to four digits. Raises WorkspaceError where nothing or more than one thing has that
    name; it says what there is.
    """
    if "@" in name or "/" in name:
        return find_version(root, index, name)
    found = {model.derivation.artifact: model for model in meanings(index, name)}
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        listed = [f"  {model.derivation.artifact}  {model.title}" for model in found.values()]
        raise WorkspaceError("\n".join([f"{name!r} can mean {len(found)} things; write more of it:", *listed]))
    raise WorkspaceError(_unknown(root, index, name))


def find_version(root: Path, index: Index, name: str) -> Model:
    """The registered version that NAME@ALIAS or NAME/VERSION means.

    Raises WorkspaceError where there is none.
    """
    model, mark, which = [*re.split(r"([@/])", name, maxsplit=1), "", ""][:3]
    check_registered(root, model)
    if not mark:
        raise WorkspaceError(f"{name!r} is no version; write {model}/NUMBER or {model}@ALIAS")
    now = Registry(root, model).read()
    numbers = {str(number): number for number in now.versions} if mark == "/" else now.aliases
    if which not in numbers:
        known = ", ".join(f"{model}{mark}{key}" for key in numbers) or "none yet; `stemma promote` sets one"
        meant = _meant(which, numbers, f"{model}{mark}")
        raise WorkspaceError(f"there is no {name}; {meant}there is: {known}{fetch_hint(root)}")
    version = now.versions[numbers[which]]
    return model_of(index, now, version)


def check_registered(root: Path, model: str) -> None:
    """Raise WorkspaceError where no registered model has that name; it says what there is."""
    if model not in models(root):
        known = ", ".join(models(root)) or "none yet; a finished flow registers its policy"
        meant = _meant(model, models(root))
        raise WorkspaceError(f"no registered model is named {model!r}; {meant}there is: {known}{fetch_hint(root)}")


def model_of(index: Index, registered: Registered, version: Version) -> Model:
    """The artifact of a registered version, as its run has it."""
    run = index.run(version.commit)
    aliases = tuple(registered.aliases_of(version.number))
    return Model(run, index.of_run(version.commit)[version.stage], version, registered.name, aliases)


def policy_of(index: Index, run: Run) -> Model:
    """The policy that a run made."""
    stage, _, _ = run.trailers["Policy"].partition("=")
    return Model(run, index.of_run(run.commit)[stage])


def meanings(index: Index, name: str) -> list[Model]:
    """Everything that a run's name, an experiment's commit or a DVC id can mean; the last two may be shortened."""
    named = [policy_of(index, run) for run in index.runs_named(name)]
    if not HEXADECIMAL.fullmatch(name):
        return named
    commits = [policy_of(index, run) for run in index.runs_like(name)]
    artifacts = [index.of_artifact(artifact) for artifact in index.artifacts_like(name)]
    return named + commits + [_as_made(index, derivations[0]) for derivations in artifacts if derivations]


def _as_made(index: Index, derivation: Derivation) -> Model:
    """An artifact in the run that made it, or else in the oldest that has it."""
    run = index.maker(derivation.stage, derivation.artifact) or index.oldest_with(derivation)
    return Model(run, index.of_run(run.commit)[derivation.stage])


def _meant(name: str, known: Iterable[str], before: str = "") -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"did you mean {before}{near[0]}? Otherwise " if near else ""


def _unknown(root: Path, index: Index, name: str) -> str:
    runs = [run.name for run in index.runs()]
    if not runs:
        return f"there is no {name!r}, for no run is on record here; make one with `stemma run rlhf`{fetch_hint(root)}"
    near = get_close_matches(name, runs, 3) or runs[:3]
    what = "a run, an experiment's commit, a DVC id, NAME/VERSION or NAME@ALIAS"
    return f"{name!r} is not {what}; the nearest runs are: {', '.join(near)}{fetch_hint(root)}"
