"""Cleaning up removes what nobody needs, and never a byte of what somebody does."""

import json
import os
import random
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from stemma.cleanup.gc import Plan, carry_out, page, plan_gc
from stemma.cli import main
from stemma.errors import ArtifactError, WorkspaceError
from stemma.lineage.index import Index
from stemma.lineage.names import Model, find_model
from stemma.lineage.pins import Pins
from stemma.lineage.registry import Registry
from stemma.lineage.served import copy_of as served_copy
from stemma.lineage.served import link_of
from stemma.lineage.store import Place, Store
from stemma.stage.locks import try_lock
from tests.family import FamilyProject, Made, copy_of
from tests.history import STAGES, closure
from tests.killing import Write, killed_before

BEGAN = 1_700_000_000
"""When FamilyProject's clock begins; it takes a minute a run."""
RETENTION = timedelta(minutes=5)


def at(minute: int) -> datetime:
    return datetime.fromtimestamp(BEGAN + 60 * minute, tz=UTC)


@dataclass
class History:
    """A random history, and what a clean-up at its end must keep."""

    project: FamilyProject
    now: datetime
    parents: dict[str, set[str]] = field(default_factory=dict)
    files: dict[str, set[str]] = field(default_factory=dict)
    """Every artifact's objects."""
    runs: dict[str, list[Made]] = field(default_factory=dict)
    keep: set[str] = field(default_factory=set)
    """Artifacts of which no byte may go."""
    loose: set[str] = field(default_factory=set)
    """Objects on nobody's record that are young."""

    def objects_to_keep(self) -> set[str]:
        ids = {oid for root in self.keep for oid in closure(root, self.parents)}
        return {oid for artifact in ids for oid in self.files.get(artifact, {artifact})} | self.loose

    def protect(self, run: str) -> None:
        self.keep |= {made.artifact for made in self.runs[run]}


@contextmanager
def clock(when: datetime) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_COMMITTER_DATE", f"{int(when.timestamp())} +0000")
        yield


def history(path: Path, seed: int, runs: int = 14) -> History:
    chance = random.Random(seed)  # noqa: S311 -- a test's dice
    told = History(FamilyProject(path), at(runs + 4))
    commits = {f"run-{number}": _add_run(told, chance, number) for number in range(runs)}
    young = [f"run-{number}" for number in range(runs) if at(number + 1) >= told.now - RETENTION]
    for name in young:
        told.protect(name)
    _move_aliases(told, chance, commits)
    _pin_and_tag(told, chance, commits)
    _leave_loose(told)
    return told


def _add_run(told: History, chance: random.Random, number: int) -> str:
    project, stages = told.project, []
    for stage in chance.sample(STAGES, chance.randint(1, len(STAGES))):
        before = [made for run in told.runs.values() for made in run if made.stage == stage]
        if before and chance.random() < 0.3:
            stages.append(chance.choice(before))
            continue
        pool = [f"shared {chance.randrange(6)}".encode() for _ in range(2)]
        contents = {f"{place}.bin": content for place, content in enumerate([f"{number} {stage}".encode(), *pool])}
        own = {f"artifacts/{made.stage}": made.artifact for made in stages if chance.random() < 0.5}
        others = {f"inputs/{oid[:6]}": oid for oid in told.parents if chance.random() < 0.03}
        raw = {"inputs/raw": project.put(f"raw {chance.randrange(20)}".encode())} if chance.random() < 0.3 else {}
        artifact = project.folder(contents)
        stages.append(Made(stage, artifact, 1, {**own, **others, **raw}))
        told.parents[artifact] = set({**own, **others, **raw}.values())
        listed = json.loads(project.place(artifact).read_bytes())
        told.files[artifact] = {artifact, *(item["md5"] for item in listed)}
    told.runs[f"run-{number}"] = stages
    return project.run(f"run-{number}", stages)


def _move_aliases(told: History, chance: random.Random, commits: dict[str, str]) -> None:
    registry, minutes = Registry(told.project.path, "policy"), int((told.now.timestamp() - BEGAN) / 60)
    names: dict[int, str] = {}
    for run in chance.sample(sorted(commits), 3):
        with clock(at(0)):
            made = told.runs[run][-1]
            names[registry.register(run, commits[run], made.stage, made.artifact).number] = run
    moves = sorted((chance.randrange(1, minutes), chance.choice(["champion", "previous"])) for _ in range(5))
    held: dict[str, tuple[str, int]] = {}
    for minute, alias in moves:
        number = chance.choice(list(names))
        with clock(at(minute)):
            registry.move(registry.head(), f"move {alias}", {"act": "promote", "moves": {alias: number}})
        if alias in held and at(minute) >= told.now - RETENTION:
            told.protect(held[alias][0])
        held[alias] = (names[number], minute)
    for run, _ in held.values():
        told.protect(run)


def _pin_and_tag(told: History, chance: random.Random, commits: dict[str, str]) -> None:
    project = told.project
    pinned, tagged = chance.sample(sorted(commits), 2)
    with closing(Index(project.path)) as index:
        Pins(project.path).pin(find_model(project.path, index, pinned), "the paper's figures")
    project.git.run("tag", "released", commits[tagged])
    if chance.random() < 0.5:
        ref = project.git.run("for-each-ref", "--format=%(refname)", f"refs/exps/*/*/{pinned}")
        project.git.run("update-ref", "-d", ref)
    told.protect(pinned)
    told.protect(tagged)


def _leave_loose(told: History) -> None:
    young, old = (told.project.put(f"of no run, {age}".encode()) for age in ("young", "old"))
    for oid, when in ((young, told.now - RETENTION / 2), (old, told.now - 2 * RETENTION)):
        os.utime(told.project.place(oid), (when.timestamp(), when.timestamp()))
    told.loose.add(young)


def objects(cache: Path) -> set[str]:
    return {file.parent.name + file.name for file in cache.rglob("*") if file.is_file()}


def planned(told: History, store: Store, *, remote: bool = False) -> Plan:
    with closing(Index(told.project.path)) as index:
        return plan_gc(told.project.path, index, store, remote=remote, retention=RETENTION, now=told.now)


@pytest.mark.parametrize("seed", range(4))
def test_it_keeps_every_protected_family_and_nothing_else(tmp_path: Path, seed: int) -> None:
    """The brute-force answer follows each artifact's parents as they were made, without Git, index or DVC."""
    told = history(tmp_path / "project", seed)
    before = objects(told.project.cache)
    with Store(told.project.path) as store:
        plan = planned(told, store)
        assert objects(told.project.cache) == before, "a plan changes nothing"
        size = sum(told.project.place(oid).stat().st_size for oid in plan.sweeps[0].ids)
        assert carry_out(plan, store) == plan.sweeps[0].size == size
        assert objects(told.project.cache) == before & told.objects_to_keep()
        assert before - told.objects_to_keep(), "the history leaves something to remove"
        assert not planned(told, store).sweeps[0].ids


def add_remote(project: FamilyProject, remote: Path) -> Path:
    """A DVC remote that holds all that the cache holds; returns where its objects lie."""
    config = project.path / ".dvc" / "config"
    config.write_text(f"[core]\n    remote = store\n['remote \"store\"']\n    url = {remote}\n")
    shutil.copytree(project.cache, remote / "files" / "md5")
    return remote / "files" / "md5"


@pytest.mark.parametrize("seed", range(4, 5))
def test_the_remote_is_cleaned_where_asked_and_keeps_what_no_run_here_knows(tmp_path: Path, seed: int) -> None:
    told = history(tmp_path / "project", seed)
    before = objects(told.project.cache)
    remote = add_remote(told.project, tmp_path / "remote")
    with Store(told.project.path) as store:
        carry_out(planned(told, store), store)
        assert objects(remote) == before, "only the cache was meant"
        carry_out(planned(told, store, remote=True), store)
    left = objects(remote)
    assert left >= before & told.objects_to_keep()
    on_record = {oid for files in told.files.values() for oid in files}
    assert not (left - told.objects_to_keep()) & on_record
    assert "of no run, old" in {told_ for oid in left for told_ in [(remote / oid[:2] / oid[2:]).read_text()]}


def test_killed_half_way_the_same_command_completes_it(tmp_path: Path) -> None:
    told = history(tmp_path / "project", 3)
    before = objects(told.project.cache)
    expected = before & told.objects_to_keep()
    for deletions in (1, 4):
        assert killed_before(deletions, partial(clean_up, told), Write(Place, "delete"))
        assert objects(told.project.cache) > expected
    clean_up(told)
    assert objects(told.project.cache) == expected


def clean_up(told: History) -> None:
    with Store(told.project.path) as store:
        carry_out(planned(told, store), store)


@pytest.fixture
def two_runs(made: FamilyProject, tmp_path: Path) -> FamilyProject:
    return copy_of(made, tmp_path / "project")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> FamilyProject:
    """`old` and `new` share their data; `new` is policy@champion."""
    project = FamilyProject(tmp_path_factory.mktemp("made") / "project")
    data = Made("data", project.artifact("data", {"rows.jsonl": b"{}\n"}), 3, {})
    for name in ("old", "new"):
        ppo = project.artifact("ppo", {"model.safetensors": name.encode()})
        commit = project.run(name, [data, Made("ppo", ppo, 4, {"artifacts/data": data.artifact})])
    registry = Registry(project.path, "policy")
    registry.register("new", commit, "ppo", ppo)
    registry.move(registry.head(), "promote", {"act": "promote", "moves": {"champion": 1}})
    return project


def find(project: FamilyProject, name: str) -> Model:
    with closing(Index(project.path)) as index:
        return find_model(project.path, index, name)


def ppo_of(project: FamilyProject, run: str) -> str:
    return find(project, run).derivation.artifact


def clean(project: FamilyProject) -> str:
    with Store(project.path) as store, closing(Index(project.path)) as index:
        plan = plan_gc(project.path, index, store, remote=store.remote is not None)
        carry_out(plan, store)
    return page(plan)


def test_it_says_what_each_run_loses_and_why_the_rest_stays(two_runs: FamilyProject) -> None:
    printed = clean(two_runs)
    assert "  policy@champion, policy/1\n" in printed
    assert "  run old, 2023-11-14: ppo  " in printed
    assert "run new" not in printed
    assert "only bytes go" in printed
    assert ppo_of(two_runs, "old"), "the run stays on record"


@pytest.mark.parametrize(("days", "stays"), [(20, True), (40, False)])
def test_where_an_alias_pointed_stays_for_the_retention(two_runs: FamilyProject, days: int, stays: bool) -> None:
    registry, now = Registry(two_runs.path, "policy"), datetime.now(tz=UTC)
    registry.register("old", find(two_runs, "old").run.commit, "ppo", ppo_of(two_runs, "old"))
    for number, ago in ((2, 50), (1, days)):
        with clock(now - timedelta(days=ago)):
            registry.move(registry.head(), "promote", {"act": "promote", "moves": {"champion": number}})
    printed = clean(two_runs)
    assert ("policy@champion, policy/2 until " in printed) == stays
    assert two_runs.place(ppo_of(two_runs, "old")).exists() == stays


def test_the_run_cache_forgets_outputs_that_are_gone(two_runs: FamilyProject) -> None:
    entries = {run: two_runs.path / ".dvc" / "cache" / "runs" / run[:2] / run / "value" for run in ("old", "new")}
    for run, file in entries.items():
        file.parent.mkdir(parents=True)
        out = f"outs:\n- path: artifacts/ppo\n  hash: md5\n  md5: {ppo_of(two_runs, run)}\n"
        file.write_text(f"cmd: python -m tasks.ppo\ndeps:\n- path: x\n  hash: md5\n  md5: {'0' * 32}\n{out}")
    clean(two_runs)
    assert not entries["old"].parent.exists(), "DVC stumbles over an empty folder"
    assert entries["new"].exists()


def test_a_run_in_progress_keeps_what_it_has_and_what_it_makes(two_runs: FamilyProject) -> None:
    path = two_runs.path / ".stemma" / "workspaces" / "busy"
    loose = two_runs.put(b"left by nobody")
    os.utime(two_runs.place(loose), (0, 0))
    two_runs.git.run("worktree", "add", "--quiet", "--detach", str(path), "HEAD")
    old = two_runs.git.run("for-each-ref", "--format=%(refname)", "refs/exps/*/*/old")
    (path / "dvc.lock").write_text(two_runs.git.run("show", f"{old}:dvc.lock"))
    fresh = two_runs.put(b"a stage of it has just made this")
    with try_lock(path.with_name("busy.lock")) as held:
        assert held
        printed = clean(two_runs)
    assert "run busy, in progress" in printed
    assert two_runs.place(ppo_of(two_runs, "old")).exists()
    assert two_runs.place(fresh).exists()
    assert not two_runs.place(loose).exists()
    shutil.rmtree(path)
    clean(two_runs)
    assert not two_runs.place(ppo_of(two_runs, "old")).exists()


@pytest.mark.parametrize("damage", [b"[]", None])
def test_where_nobody_can_say_what_belongs_to_the_champion_nothing_goes(
    two_runs: FamilyProject, damage: bytes | None
) -> None:
    place = two_runs.place(ppo_of(two_runs, "new"))
    place.unlink()
    if damage:
        place.write_bytes(damage)
    before = objects(two_runs.cache)
    with pytest.raises(ArtifactError, match="list of files of") as error:
        clean(two_runs)
    assert place.name[:20] in str(error.value)
    assert objects(two_runs.cache) == before


def test_a_clone_that_does_not_know_every_run_cleans_no_remote(two_runs: FamilyProject, tmp_path: Path) -> None:
    remote = add_remote(two_runs, tmp_path / "remote")
    two_runs.git.run("clone", "--quiet", "--mirror", str(two_runs.path), str(tmp_path / "bare.git"))
    two_runs.git.run("remote", "add", "origin", str(tmp_path / "bare.git"))
    ref = two_runs.git.run("for-each-ref", "--format=%(refname)", "refs/exps/*/*/old")
    two_runs.git.run("update-ref", "-d", ref)
    before = objects(remote)
    with pytest.raises(WorkspaceError, match=r"refs/exps/.*/old.*git fetch origin"):
        clean(two_runs)
    assert objects(remote) == before
    two_runs.git.run("fetch", "--quiet", "origin", "refs/exps/*:refs/exps/*")
    clean(two_runs)
    assert len(objects(remote)) == len(before) - 3


def test_by_command_it_shows_first_and_pins_hold(
    two_runs: FamilyProject, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(two_runs.path)
    before = objects(two_runs.cache)
    assert main(["gc"]) == 0
    assert "run old" in capsys.readouterr().out
    assert objects(two_runs.cache) == before
    assert main(["pin", "old", "--reason", "in the paper"]) == 0
    assert main(["gc", "--apply"]) == 0
    assert "ppo of run old, pinned: in the paper" in capsys.readouterr().out
    assert objects(two_runs.cache) == before
    assert main(["unpin", "old", "--reason", "the paper is out"]) == 0
    assert main(["unpin", "old", "--reason", "again"]) == 2
    assert main(["gc", "--apply"]) == 0
    assert objects(two_runs.cache) < before
    assert main(["gc", "--remote"]) == 2
    assert "there is no DVC remote" in capsys.readouterr().err


def test_copies_that_no_alias_serves_go(
    two_runs: FamilyProject, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(two_runs.path)
    champion, old = (served_copy(two_runs.path, ppo_of(two_runs, run)) for run in ("new", "old"))
    half_written, in_hand = old.with_name(f".{old.name}"), old.with_name("in-hand.dir")
    for folder in (champion, old, half_written, in_hand):
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(b"x" * 1500)
        if folder != in_hand:
            os.utime(folder, (0, 0))
    (stray := old.with_name("notes.txt")).touch()
    link = link_of(two_runs.path, "policy", "champion")
    link.parent.mkdir()
    link.symlink_to(os.path.relpath(champion, link.parent))
    assert main(["gc"]) == 0
    assert "From serving/, copies that no alias serves:\n  2 copies, 3.0 kB" in capsys.readouterr().out
    assert old.is_dir()
    assert main(["gc", "--apply"]) == 0
    assert {*champion.parent.iterdir()} == {champion, in_hand, stray}
    assert (link / "model.safetensors").stat().st_size == 1500
