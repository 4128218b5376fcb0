"""Times and sizes are those of runs of the same model, context and rows, or of none."""

from pathlib import Path

import pytest

from flows.planning.comparable import is_comparable
from stemma.lineage.runs import find_run
from tests.family import FamilyProject, Made

SETTINGS = {
    "base": {"source": "scratch", "context": 128},
    "data": {"files": ["inputs/a.jsonl"], "test_share": 0.1},
    "ppo": {"updates": 8},
}
INPUTS = {"inputs/a.jsonl": "a" * 32}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one run."""
    project = FamilyProject(tmp_path_factory.mktemp("comparable") / "project")
    data = project.artifact("data", {"prompts.jsonl": b"{}\n"})
    project.run("calm", [Made("data", data, 1, INPUTS)], params=SETTINGS)
    return project.path


@pytest.mark.parametrize(
    ("settings", "inputs", "expected"),
    [
        (SETTINGS, INPUTS, True),
        (SETTINGS | {"ppo": {"updates": 9}}, INPUTS, True),
        (SETTINGS | {"base": {"source": "hub", "context": 128}}, INPUTS, False),
        (SETTINGS | {"base": {"source": "scratch", "context": 640}}, INPUTS, False),
        (SETTINGS | {"data": {"files": ["/home/ada/a.jsonl"], "test_share": 0.1}}, INPUTS, True),
        (SETTINGS | {"data": {"files": ["inputs/a.jsonl"], "test_share": 0.2}}, INPUTS, False),
        (SETTINGS, {"inputs/a.jsonl": "b" * 32}, False),
        (SETTINGS | {"base": {"source": "scratch", "context": 128, "new": 1}}, INPUTS, True),
    ],
)
def test_a_run_of_another_model_context_or_rows_says_nothing(
    project: Path, settings: dict[str, object], inputs: dict[str, str | None], expected: bool
) -> None:
    assert is_comparable(find_run(project, "calm"), settings, inputs) is expected
