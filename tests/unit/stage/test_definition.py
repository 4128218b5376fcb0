"""A stage's key changes with all that can change its bytes, and with nothing else."""

from pathlib import Path

import pytest

from stemma.errors import SettingsError
from stemma.stage.definition import read_definition, read_definitions, stage_key

DVC_YAML = """
stages:
  data: {cmd: python -m tasks.data, params: [seed, data], deps: [code.py, inputs], outs: [artifacts/data]}
  dpo:
    foreach: ${flows.dpo}
    do: {cmd: python -m tasks.dpo, params: [seed, dpo], deps: [code.py, artifacts/data], outs: [artifacts/dpo]}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "dvc.yaml").write_text(DVC_YAML)
    (tmp_path / "params.yaml").write_text("seed: 0\ndata: {n: 1}\ndpo: {beta: 0.1}\nother: 1\n")
    (tmp_path / "code.py").write_text("x = 1\n")
    for folder in ("inputs", "artifacts/data"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "artifacts/data/manifest.json").write_text("{}")
    return tmp_path


def test_stages_of_one_flow_have_an_address_of_their_own(root: Path) -> None:
    definitions = read_definitions(root)
    assert [(stage.name, stage.address) for stage in definitions.values()] == [("data", "data"), ("dpo", "dpo@dpo")]
    assert definitions["dpo"].inputs == ("data",)
    assert definitions["dpo"].artifact == Path("artifacts/dpo")
    with pytest.raises(SettingsError, match=r"dvc.yaml has no stage 'sft'; it has data, dpo"):
        read_definition(root, "sft")


@pytest.mark.parametrize(
    ("file", "content", "changes"),
    [
        ("params.yaml", "seed: 1\ndata: {n: 1}\ndpo: {beta: 0.1}\n", True),
        ("params.yaml", "seed: 0\ndata: {n: 1}\ndpo: {beta: 0.2}\n", True),
        ("params.yaml", "other: 2\nseed: 0\ndata: {n: 2}\ndpo: {beta: 0.1}\n", False),
        ("code.py", "x = 2\n", True),
        ("artifacts/data/manifest.json", "{ }", True),
        ("artifacts/data/model", "covered by its manifest", False),
        ("inputs/rows.jsonl", "{}", False),
    ],
)
def test_the_key_of_a_stage(root: Path, file: str, content: str, changes: bool) -> None:
    dpo = read_definition(root, "dpo")
    before = stage_key(root, dpo)
    (root / file).write_text(content)
    assert (stage_key(root, dpo) != before) is changes


def test_raw_inputs_count_by_content(root: Path) -> None:
    data = read_definition(root, "data")
    before = stage_key(root, data)
    (root / "inputs/rows.jsonl").write_text("{}")
    assert stage_key(root, data) != before
