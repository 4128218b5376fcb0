"""Rounds of retraining: what each starts from, the labels it merges, and what becomes of it."""

import sys
from collections.abc import Callable

import pytest

from tests.project import Project

STEMMA = (sys.executable, "-m", "stemma")
QUICK = ("--set", "ppo.updates=4", "--set", "promotion.beat_length=false")


@pytest.fixture(scope="module")
def project(new_project: Callable[[str], Project]) -> Project:
    """A project whose champion is `first`, and from which two rounds went on."""
    project = new_project("rounds")
    project.run("rlhf", "first", *QUICK)
    return project


def test_rounds(project: Project) -> None:
    printed = project.run("retrain", "early", status=2)
    assert "policy has no champion to start a round from" in printed
    project.output(*STEMMA, "promote", "first", "--force", "--reason", "the first")
    print(project.run("retrain", "one", *QUICK))
    print(project.output(*STEMMA, "rounds"))
    print(project.output(*STEMMA, "trace", "one"))
    print(project.git("show", "--stat", "HEAD"), project.output("git", "log", "-1", project.found("one").commit))
    print(project.output("git", "show", "--stat", project.found("one").commit))
    print(project.output(*STEMMA, "verify", "one"))
    assert 0
