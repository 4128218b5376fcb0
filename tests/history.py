"""Random histories of runs, and the brute-force answers about them."""

import random
from pathlib import Path

from tests.family import FamilyProject, Made

STAGES = ("data", "base", "sft", "label", "reward", "ppo")


def random_history(path: Path, seed: int, runs: int) -> tuple[FamilyProject, dict[str, set[str]]]:
    """A project of random runs, each from artifacts of its own and of earlier runs; and each artifact's parents."""
    chance = random.Random(seed)  # noqa: S311 -- a test's dice
    project = FamilyProject(path)
    parents: dict[str, set[str]] = {}
    known: list[str] = []
    for number in range(runs):
        stages: list[Made] = []
        for stage in chance.sample(STAGES, chance.randint(1, len(STAGES))):
            own = {f"artifacts/{made.stage}": made.artifact for made in stages if chance.random() < 0.5}
            others = {f"inputs/{oid[:6]}": oid for oid in known if chance.random() < 0.1}
            made = Made(stage, project.put(f"{number} {stage}".encode()), 1, own | others)
            stages.append(made)
            parents[made.artifact] = set(made.inputs.values())
        known += [made.artifact for made in stages]
        project.run(f"run-{number}", stages)
    return project, parents


def closure(root: str, parents: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [root]
    while waiting:
        oid = waiting.pop()
        if oid not in found:
            found.add(oid)
            waiting.extend(parents.get(oid, ()))
    return found
