"""Eight processes at once: that want the same alias, and that register in two clones of a shared project."""

import multiprocessing
import subprocess
import threading
from pathlib import Path

from stemma.lineage.chain import ChainMovedError
from stemma.lineage.history import moves_of
from stemma.lineage.names import find_model
from stemma.lineage.registering import catch_up, register_shared
from stemma.lineage.registry import Registry
from stemma.promotion.act import promote
from stemma.promotion.move import Desk
from tests.family import FamilyProject, copy_of
from tests.policies import MODEL, PROMPTS, Policies
from tests.promotion.acts import desk_of

RACERS = 8
ROUNDS = 4

STARTS: list[threading.Barrier] = []
"""In a racer's process: what all wait at."""


def take_place(start: threading.Barrier) -> None:
    STARTS.append(start)


def race(policies: Policies, name: str) -> bool:
    """Promote once every racer has looked; whether this one won."""
    with desk_of(policies) as desk:
        together = Desk(**{**desk.__dict__, "verify": lambda *_: STARTS[0].wait(timeout=60)})
        try:
            promote(together, find_model(policies.path, desk.index, name), "champion", f"{name} wants it")
        except ChainMovedError:
            return False
    return True


def test_exactly_one_wins_each_round(tmp_path: Path) -> None:
    policies = Policies(FamilyProject(tmp_path / "project"))
    context = multiprocessing.get_context("spawn")
    with context.Pool(RACERS, take_place, (context.Barrier(RACERS),)) as racers:
        for turn in range(ROUNDS):
            names = [f"turn-{turn}-{number}" for number in range(RACERS)]
            for name in names:
                policies.add(name, [1.0 + turn] * PROMPTS)
            won = racers.starmap(race, [(policies, name) for name in names], chunksize=1)
            assert sum(won) == 1
    moves = moves_of(policies.path, MODEL, "champion")
    assert len(moves) == ROUNDS
    assert [move.before for move in moves[1:]] == [move.after for move in moves[:-1]]
    now = Registry(policies.path, MODEL).read()
    assert moves[-1].after == f"{MODEL}/{now.aliases['champion']}"
    assert len(now.versions) == RACERS * ROUNDS


def register(path: Path, name: str, commit: str, artifact: str) -> int:
    """Register once all are there; the version's number."""
    STARTS[0].wait(timeout=60)
    version, unseen = register_shared(path, MODEL, name, commit, "ppo", artifact)
    assert unseen == ""
    return version.number


def test_runs_that_end_together_in_two_clones_keep_the_numbers_that_they_were_told(tmp_path: Path) -> None:
    policies = Policies(FamilyProject(tmp_path / "project"))
    git, registry = policies.project.git, Registry(policies.path, MODEL)
    runs = [policies.add(f"run-{number}", [1.0] * PROMPTS) for number in range(2 * RACERS)]
    git.run("update-ref", "-d", registry.ref)
    git.run("init", "--quiet", "--bare", str(tmp_path / "remote.git"))
    git.run("remote", "add", "origin", str(tmp_path / "remote.git"))
    git.run("push", "--quiet", "origin", "refs/exps/*:refs/exps/*")
    subprocess.run(
        ["dvc", "remote", "add", "--default", "store", str(tmp_path / "store")], cwd=policies.path, check=True
    )
    clones = [policies.path, copy_of(policies.project, tmp_path / "other").path]
    context = multiprocessing.get_context("spawn")
    with context.Pool(RACERS, take_place, (context.Barrier(RACERS),)) as racers:
        asked = [(clones[at % 2], run.run, run.commit, run.artifact) for at, run in enumerate(runs)]
        numbers = racers.starmap(register, asked, chunksize=1)
    catch_up(policies.path, registry)
    assert sorted(numbers) == list(range(1, 2 * RACERS + 1))
    assert {number: registry.read().versions[number].run for number in numbers} == {
        number: run.run for number, run in zip(numbers, runs, strict=True)
    }
