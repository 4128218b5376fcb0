"""Random damage to a project of whole families, and how each piece of it must be told."""

import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from stemma.lineage.chain import Chain
from stemma.lineage.registry import Registered, Registry, registered
from stemma.lineage.served import copy_of, link_of
from stemma.verification.fault import Fault, Kind
from tests.whole_family import WholeProject, WholeRun, lock_text

MODEL = "policy"
RECORD_KINDS = {Kind.LOCK, Kind.CODE, Kind.SETTINGS, Kind.METRICS, Kind.EDGE, Kind.RAW}


@dataclass(frozen=True)
class Injected:
    """A fault that was put in, and how it must be told."""

    model: str
    remote: bool
    undo: Callable[[], object]
    is_told: Callable[[Fault], bool]
    may_follow: Callable[[Fault], bool] = lambda _: False
    """Faults that come of it."""


class Damage:
    """Puts random faults into a project."""

    def __init__(self, whole: WholeProject, store: Path, client: MlflowClient, chance: random.Random) -> None:
        self.whole, self.store, self.client, self.chance = whole, store, client, chance
        self.git = whole.project.git
        self.registry = Registry(whole.path, MODEL)
        self.pairs = [
            (self.registered_lock, self.cache_object), (self.working_tree_lock, self.cache_object),
            (self.tag, self.cache_object), (self.mlflow_alias, self.remote_object), (self.chain, self.cache_object),
            (self.served_link, self.cache_object), (self.served_file, self.remote_object),
            (self.git_remote, self.remote_object), (self.missing_version, self.cache_object),
        ]  # fmt: skip
        """What can be put in at once: of records and views, and of bytes."""

    def cache_object(self, model: str) -> Injected:
        oid, artifacts = self._object(model)
        place = self.whole.project.place(oid)
        gone, undo = self._hurt(place)
        told = (Kind.CACHE_MISSING if gone else Kind.CACHE_CHANGED, oid, str(place))
        return Injected(model, False, undo, lambda f: (f.kind, f.oid, f.place) == told and f.artifact in artifacts)

    def remote_object(self, model: str) -> Injected:
        oid, artifacts = self._object(model)
        place = self.store / oid[:2] / oid[2:]
        gone, undo = self._hurt(place)
        told = (Kind.REMOTE_MISSING if gone else Kind.REMOTE_CHANGED, oid, str(place))
        return Injected(model, True, undo, lambda f: (f.kind, f.oid, f.place) == told and f.artifact in artifacts)

    def lock(self) -> Injected:
        """An experiment whose dvc.lock was edited, and that no version names."""
        run = self.chance.choice(self.whole.runs[4:])
        stage, undo = self._edit_lock(run)
        commit = self.whole.commits[run.name]

        def told(fault: Fault) -> bool:
            where = f"experiment {run.name}, commit {commit[:10]}: "
            return fault.kind in RECORD_KINDS and fault.place.startswith(where) and f"{stage}" in fault.words

        bogus = self._bogus + ".dir"
        return Injected(run.name, False, undo, told, lambda f: f.place.startswith("experiment") or f.oid == bogus)

    def registered_lock(self) -> Injected:
        """The same of an experiment that a version names: the version goes on from the true commit."""
        number, run = self.chance.choice(list(enumerate(self.whole.runs[:4], start=1)))
        _, undo = self._edit_lock(run)
        ref = self.whole.ref(run.name)
        return Injected(f"{MODEL}/{number}", False, undo, lambda f: (f.kind, f.place) == (Kind.EXPERIMENT, ref))

    def working_tree_lock(self) -> Injected:
        run = self.chance.choice(self.whole.runs)
        lock = deepcopy(run.lock)
        stage = self._edit(run, lock, ("out", "dep", "code", "setting", "cmd"))
        file = self.whole.path / "dvc.lock"
        file.write_text(lock_text(lock))

        def told(fault: Fault) -> bool:
            return (fault.kind, fault.place) == (Kind.WORKING_TREE, str(file)) and f"{stage} " in fault.words

        return Injected(run.name, False, file.unlink, told)

    def tag(self) -> Injected:
        number = self.chance.randint(1, 4)
        tags = self.client.get_model_version(MODEL, str(number)).tags
        key = self.chance.choice(sorted(tags))
        old = tags[key]
        if self.chance.random() < 0.3:
            self.client.delete_model_version_tag(MODEL, str(number), key)
        else:
            self.client.set_model_version_tag(MODEL, str(number), key, old + "0")

        def told(fault: Fault) -> bool:
            return fault.kind == Kind.TAG and fault.place.endswith(f"{MODEL} version {number}, tag {key}")

        undo = lambda: self.client.set_model_version_tag(MODEL, str(number), key, old)  # noqa: E731 -- one line
        return Injected(self._registered(), False, undo, told)

    def mlflow_alias(self) -> Injected:
        aliases = self._now().aliases
        alias = self.chance.choice(sorted(aliases))
        other = self.chance.choice([number for number in range(1, 5) if number != aliases[alias]])
        self.client.set_registered_model_alias(MODEL, alias, str(other))

        def told(fault: Fault) -> bool:
            return (
                fault.kind == Kind.ALIAS and fault.place.endswith(f"{MODEL}@{alias}") and f"/{other} in" in fault.words
            )

        undo = lambda: self.client.set_registered_model_alias(MODEL, alias, str(aliases[alias]))  # noqa: E731 -- one line
        return Injected(self._registered(), False, undo, told)

    def missing_version(self) -> Injected:
        """A version that only Git has."""
        before = self.git.run("rev-parse", self.registry.ref)
        run = self.whole.runs[4]
        version = self.registry.register(run.name, self.whole.commits[run.name], "ppo", run.policy)

        def told(fault: Fault) -> bool:
            return fault.kind == Kind.VERSION and fault.place.endswith(f"{MODEL} version {version.number}")

        undo = lambda: self.git.run("update-ref", self.registry.ref, before)  # noqa: E731 -- one line
        return Injected(self._registered(), False, undo, told, lambda f: f.kind == Kind.GIT_REMOTE)

    def chain(self) -> Injected:
        """The newest act rewritten by hand: another state, another act, or a version of another artifact."""
        links = Chain(self.whole.path, self.registry.ref).links()
        newest, before = links[-1], links[-2]
        act, state = deepcopy(newest.act), deepcopy(newest.state)
        way = self.chance.choice(["state", "act", "artifact", "squash"])
        if way == "state":
            state["aliases"]["champion"] = self.chance.choice([3, 4, 99])
        elif way == "act":
            act["moves"]["champion"] = 99
        elif way == "artifact":
            number = str(self.chance.randint(1, 4))
            state["versions"][number]["artifact"] = self.whole.runs[5].policy
            version = state["versions"][number]
            act, state = {"act": "register", "version": version}, {**before.state, "versions": state["versions"]}
        else:
            before = links[0]
        self.git.run("update-ref", self.registry.ref, before.commit)
        Chain(self.whole.path, self.registry.ref).append(before, "by hand", act, state)
        undo = lambda: self.git.run("update-ref", self.registry.ref, newest.commit)  # noqa: E731 -- one line
        follow = {Kind.SERVED_LINK, Kind.GIT_REMOTE}
        return Injected(
            self.whole.runs[0].name,
            False,
            undo,
            lambda f: f.kind == Kind.REGISTRY and f.place.startswith(self.registry.ref),
            lambda f: f.kind in follow,
        )

    def served_link(self) -> Injected:
        link = link_of(self.whole.path, MODEL, "champion")
        target = link.readlink()
        link.unlink()
        link.symlink_to(Path("..", ".versions") / self.whole.runs[self.chance.randint(5, 9)].policy)

        def undo() -> None:
            link.unlink()
            link.symlink_to(target)

        return Injected(self._registered(), False, undo, lambda f: (f.kind, f.place) == (Kind.SERVED_LINK, str(link)))

    def served_file(self) -> Injected:
        champion = self._now().versions[self._now().aliases["champion"]]
        files = [file for file in copy_of(self.whole.path, champion.artifact).rglob("*") if file.is_file()]
        file = self.chance.choice(files)
        _, undo = self._hurt(file)
        told = (Kind.SERVED_FILE, str(file))
        return Injected(f"{MODEL}@champion", False, undo, lambda f: (f.kind, f.place) == told)

    def git_remote(self) -> Injected:
        run = self.chance.choice(self.whole.runs)
        ref = self.chance.choice([self.whole.ref(run.name), self.registry.ref])
        bare = self.whole.path.with_name("origin.git")
        name = run.name if ref.endswith(run.name) else self._registered()
        old = self.git.run("rev-parse", ref)
        head = self.git.run("rev-parse", "HEAD")
        change = ["-d", ref] if self.chance.random() < 0.5 else [ref, head]
        self.git.run("--git-dir", str(bare), "update-ref", *change)
        undo = lambda: self.git.run("--git-dir", str(bare), "update-ref", ref, old)  # noqa: E731 -- one line
        return Injected(name, True, undo, lambda f: f.kind == Kind.GIT_REMOTE and f.place.endswith(ref))

    def _registered(self) -> str:
        return self.chance.choice([f"{MODEL}@champion", *(f"{MODEL}/{number}" for number in range(1, 5))])

    def _object(self, model: str) -> tuple[str, set[str]]:
        """An object of a model's family, and the artifacts in it that hold it."""
        held = self.whole.holders(self.policy_of(model))
        oid = self.chance.choice(sorted(held))
        return oid, held[oid]

    def _now(self) -> Registered:
        """What the chain says, damaged or not."""
        head = self.registry.head()
        return registered(MODEL, head.state if head else {})

    def policy_of(self, model: str) -> str:
        """The policy of a run, version or alias."""
        now = self._now()
        if "@" in model:
            return now.versions[now.aliases[model.partition("@")[2]]].artifact
        if "/" in model:
            return now.versions[int(model.partition("/")[2])].artifact
        return next(run.policy for run in self.whole.runs if run.name == model)

    def _hurt(self, place: Path) -> tuple[bool, Callable[[], object]]:
        """Flip a byte, cut the end off, or delete; the file stays as read-only as it was."""
        content, mode = place.read_bytes(), place.stat().st_mode
        way = self.chance.choice(["flip", "cut", "delete"])

        def write(changed: bytes) -> None:
            place.chmod(0o644)
            place.write_bytes(changed)
            place.chmod(mode)

        def bring_back() -> None:
            place.write_bytes(content)
            place.chmod(mode)

        if way == "delete":
            place.unlink()
            return True, bring_back
        at = self.chance.randrange(len(content))
        flipped = content[:at] + bytes([content[at] ^ 1 << self.chance.randrange(8)]) + content[at + 1 :]
        write(flipped if way == "flip" else content[:at])
        return False, lambda: write(content)

    def _edit_lock(self, run: WholeRun) -> tuple[str, Callable[[], object]]:
        """Put a commit with an edited dvc.lock in the place of a run's."""
        lock = deepcopy(run.lock)
        stage = self._edit(
            run, lock, ("out", "out size", "dep", "dep size", "code", "setting", "cmd", "drop", "metrics")
        )
        ref, commit = self.whole.ref(run.name), self.whole.commits[run.name]
        files = {**run.contents(), "dvc.lock": lock_text(lock)}
        self.whole.write({run.name: (run.message(), files)})

        def undo() -> None:
            self.git.run("update-ref", ref, commit)
            self.whole.commits[run.name] = commit

        return stage, undo

    def _edit(self, run: WholeRun, lock: dict[str, Any], parts: tuple[str, ...]) -> str:
        """Change one thing of one stage that the policy came from; returns the stage."""
        family = self.whole.ancestors(run.policy)
        stage = self.chance.choice([stage for stage in sorted(lock) if lock[stage]["outs"][0]["md5"] in family])
        entry, part = lock[stage], self.chance.choice(parts)
        data = [dep for dep in entry["deps"] if "nfiles" in dep]
        self._bogus = f"{self.chance.getrandbits(128):032x}"
        if part == "setting":
            entry["params"]["params.yaml"][stage]["rate"] = 0.5
        elif part == "cmd":
            entry["cmd"] += " --fast"
        elif part == "drop":
            entry["deps"].remove(self.chance.choice(entry["deps"]))
        elif part in {"dep", "dep size"} and data:
            dep = self.chance.choice(data)
            dep |= {"size": dep["size"] + 1} if part == "dep size" else {"md5": self._bogus + ".dir"}
        elif part in {"out", "out size"}:
            out = entry["outs"][0]
            out |= {"size": out["size"] + 1} if part == "out size" else {"md5": self._bogus + ".dir"}
        elif part == "metrics" and len(entry["outs"]) > 1:
            entry["outs"][1]["md5"] = self._bogus
        else:
            code = self.chance.choice([dep for dep in entry["deps"] if "nfiles" not in dep])
            code["md5"] = self._bogus
        return stage
