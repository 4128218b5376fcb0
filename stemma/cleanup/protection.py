"""What must not be cleaned away, and why."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from stemma.lineage.chain import Link
from stemma.lineage.family import family_of
from stemma.lineage.forgotten import Tombstones
from stemma.lineage.git import Git
from stemma.lineage.index import Derivation, Index, Input
from stemma.lineage.names import Model
from stemma.lineage.pins import Pins
from stemma.lineage.registry import Registered, Registry, models
from stemma.lineage.tracked import in_commit, in_folder, named_in, raw_inputs
from stemma.records.counting import counted
from stemma.stage.locks import try_lock

RUNS_AT_ONCE = 200


@dataclass(frozen=True)
class Kept:
    """What is kept for one reason."""

    why: str
    ids: frozenset[str]
    """DVC ids of artifacts, raw inputs and metrics files."""
    vital: bool = False
    """Whether a person relies on these very bytes: an alias or a pin."""


def protection(root: Path, index: Index, now: datetime, retention: timedelta) -> list[Kept]:
    """Everything that must be kept: families of aliases, of pins, of young runs; commits with a name; runs in flight.

    An alias counts where it points now, and where it pointed within the retention.
    """
    families = _Families(root, index)
    relied_on = [*_aliases(root, now - retention), *_pins(root)]
    kept = [Kept(why, families.of_run(commit), vital=True) for why, commit in relied_on]
    kept += [Kept(why, families.of_ids(in_commit(Git(root), commit))) for why, commit in _named_commits(root)]
    kept.append(Kept("the working tree", families.of_ids(in_folder(root))))
    kept += [Kept(f"run {path.name}, in progress", families.of_ids(in_folder(path))) for path in in_flight(root)]
    young = [run.commit for run in index.runs() if run.created >= now - retention]
    kept.append(Kept(f"{counted(len(young), 'run')} within the retention", families.of_runs(young)))
    kept.append(Kept("cleaned versions of datasets", frozenset(Tombstones(root).cleaned.values())))
    return [one for one in kept if one.ids]


def in_flight(root: Path) -> Iterator[Path]:
    """The worktrees of runs in progress."""
    for path in sorted((root / ".stemma" / "workspaces").glob("*/")):
        with try_lock(path.with_name(path.name + ".lock")) as free:
            if not free:
                yield path


class _Families:
    """The families of runs and artifacts, each walked once."""

    def __init__(self, root: Path, index: Index) -> None:
        self._git = Git(root)
        self._index = index
        self._raw = raw_inputs(self._git, [run.commit for run in index.runs()])
        self._elsewhere: dict[str, frozenset[str]] = {}

    def of_run(self, commit: str) -> frozenset[str]:
        """All that a run has on record, with the families of what other runs made for it."""
        return self.of_runs([commit])

    def of_runs(self, commits: Sequence[str]) -> frozenset[str]:
        """The same for several runs."""
        found: set[str] = set()
        known = [commit for commit in commits if commit in self._raw]
        for start in range(0, len(known), RUNS_AT_ONCE):
            found |= self._recorded(known[start : start + RUNS_AT_ONCE])
        for commit in known:
            own = self._index.of_run(commit).values()
            made = {derivation.artifact for derivation in own}
            for oid in {dep.md5 for derivation in own for dep in self._inputs_of(derivation)} - made:
                found |= {oid} | self._made_elsewhere(oid)
        for commit in (commit for commit in commits if commit not in self._raw):
            found |= self.of_ids(in_commit(self._git, commit))
        return frozenset(found)

    def _recorded(self, commits: Sequence[str]) -> set[str]:
        """Whatever the runs' dvc.lock files name, stages of somebody's own included, and their raw files."""
        found = {oid for commit in commits for oid in self._raw[commit].values()}
        for text in self._git.contents([f"{commit}:dvc.lock" for commit in commits]).values():
            found |= named_in(text or "")
        return found

    def of_ids(self, ids: Iterable[str]) -> frozenset[str]:
        """Artifacts with their families."""
        known = set(ids)
        return frozenset(known.union(*(self._made_elsewhere(oid) for oid in known)))

    def _inputs_of(self, derivation: Derivation) -> list[Input]:
        return [dep for dep in self._index.inputs(derivation) if not dep.is_code]

    def _made_elsewhere(self, oid: str) -> frozenset[str]:
        """The family of an artifact as the oldest run that has it tells, raw files included."""
        if oid not in self._elsewhere:
            derivations = self._index.of_artifact(oid)
            self._elsewhere[oid] = self._family(derivations[0]) if derivations else frozenset()
        return self._elsewhere[oid]

    def _family(self, derivation: Derivation) -> frozenset[str]:
        oldest = self._index.oldest_with(derivation)
        members = family_of(self._index, Model(oldest, derivation)).members.values()
        found = {oid for member in members if member.derivation for oid in _outs(member.derivation)}
        found.update(member.dvc_id for member in members)
        for member in members:
            found.update(self._raw[member.run.commit].values() if member.run else ())
        return frozenset(found)


def _outs(derivation: Derivation) -> list[str]:
    """The ids of all that a stage left: its artifact and its metrics."""
    return [out["md5"] for out in derivation.entry["outs"]]


def _aliases(root: Path, since: datetime) -> Iterator[tuple[str, str]]:
    """Each version that an alias points at or has pointed at since then: why it is kept, and its run's commit."""
    for model in models(root):
        registry = Registry(root, model)
        acts = registry.acts()
        seen: set[tuple[str, int]] = set()
        for act, following in reversed(list(zip(acts, [*acts[1:], None], strict=True))):
            if following and following.when < since:
                break
            yield from _pointed(registry.at(act), following, seen)


def _pointed(state: Registered, following: Link | None, seen: set[tuple[str, int]]) -> Iterator[tuple[str, str]]:
    for alias, number in state.aliases.items():
        if (alias, number) not in seen and number in state.versions:
            seen.add((alias, number))
            until = f" until {following.when:%Y-%m-%d}" if following else ""
            yield f"{state.name}@{alias}, {state.name}/{number}{until}", state.versions[number].commit


def _pins(root: Path) -> Iterator[tuple[str, str]]:
    for pin in Pins(root).pins.values():
        yield f"{pin['title']}, pinned: {pin['reason']}", pin["commit"]


def _named_commits(root: Path) -> Iterator[tuple[str, str]]:
    """The commits that branches and tags name, and HEAD."""
    git = Git(root)
    yield "HEAD", git.head()
    names = git.run("for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/remotes", "refs/tags").splitlines()
    for name in names:
        yield f"Git {name}", git.run("rev-parse", "--verify", f"{name}^{{commit}}")
