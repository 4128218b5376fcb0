"""Eight processes that want the same alias, each for a policy of its own."""

import multiprocessing
import threading
from pathlib import Path

from stemma.lineage.chain import ChainMovedError
from stemma.lineage.history import moves_of
from stemma.lineage.names import find_model
from stemma.lineage.registry import Registry
from stemma.promotion.act import promote
from stemma.promotion.move import Desk
from tests.family import FamilyProject
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
