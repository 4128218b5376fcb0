"""`kill -9` before every step of promote and rollback that writes; the same command then sets everything right."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from stemma.lineage.git import Git
from stemma.lineage.history import moves_of
from stemma.lineage.registry import Registry
from stemma.lineage.served import served_artifact
from tests.family import FamilyProject, copy_of
from tests.killing import Write, killed_before
from tests.policies import MODEL, PROMPTS, Policies
from tests.promotion.acts import promoted, rolled_back

WRITES = (
    Write(Git, "run", only=("hash-object", "mktree", "commit-tree", "update-ref")),
    *(Write(Path, name) for name in ("rename", "replace", "symlink_to", "mkdir")),
    Write(shutil, "copyfileobj"),
)
MOST_STEPS = 60


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Policies:
    """`good` is champion, `best` waits."""
    policies = Policies(FamilyProject(tmp_path_factory.mktemp("killed") / "project"))
    policies.add("good", [1.0] * PROMPTS)
    policies.add("best", [2.0] * PROMPTS)
    promoted(policies, "good")
    return policies


def act(kind: str) -> Callable[[Policies], Any]:
    if kind == "promote":
        return lambda policies: promoted(policies, "best")
    return rolled_back


@pytest.mark.parametrize("kind", ["promote", "rollback"])
def test_alias_files_and_history_agree_after_a_kill_anywhere(policies: Policies, tmp_path: Path, kind: str) -> None:
    ready = Policies(copy_of(policies.project, tmp_path / "ready"))
    if kind == "rollback":
        promoted(ready, "best")
        shutil.rmtree(ready.path / "serving" / ".versions")
    expected = 1 if kind == "rollback" else 2
    moves = len(moves_of(ready.path, MODEL, "champion"))
    for step in range(MOST_STEPS):
        torn = Policies(copy_of(ready.project, tmp_path / f"torn-{step}"))
        killed = killed_before(step, partial(act(kind), torn), *WRITES)
        act(kind)(torn)
        agree(torn, expected)
        assert len(moves_of(torn.path, MODEL, "champion")) == moves + 1
        if not killed:
            assert step > 10, "nothing was interrupted"
            return
    pytest.fail("the act never ended")


def agree(policies: Policies, expected: int) -> None:
    now = Registry(policies.path, MODEL).read()
    assert now.aliases["champion"] == expected
    artifact = now.versions[expected].artifact
    assert served_artifact(policies.path, MODEL, "champion") == artifact
    assert (policies.path / "serving" / MODEL / "champion" / "model.safetensors").read_bytes() == (
        b"good" if expected == 1 else b"best"
    )
    moves = moves_of(policies.path, MODEL, "champion")
    assert moves[-1].after == f"{MODEL}/{expected}"
    assert [move.before for move in moves[1:]] == [move.after for move in moves[:-1]]
