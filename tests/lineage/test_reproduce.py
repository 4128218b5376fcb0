"""A tree made again from raw data: bit for bit, or the first artifact that differs and how."""

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from stemma.cli import main
from stemma.errors import ArtifactError
from stemma.lineage.dvc import Pipeline, run_dvc
from stemma.lineage.index import Index
from stemma.lineage.names import Model, find_model
from stemma.lineage.runs import artifact_id, run_message
from stemma.lineage.store import Store
from stemma.reproduction.packages import package_differences
from stemma.reproduction.reproduce import Reproduction, page, reproduce
from stemma.reproduction.tensor_difference import tensor_differences
from tests.family import FamilyProject

PIPELINE = """
stages:
  data:
    cmd: python data.py
    deps: [data.py, inputs]
    outs: [artifacts/data]
  ppo:
    cmd: python ppo.py
    params: [seed]
    deps: [ppo.py, artifacts/data]
    outs: [artifacts/ppo]
    metrics: [metrics/ppo.json: {cache: false}]
plots:
  - artifacts/ppo/history.csv: {x: step, y: loss}
"""
DATA = """
import os, pathlib
drift = os.environ.get("DATA_DRIFT", "")
made = pathlib.Path("artifacts/data"); made.mkdir(parents=True, exist_ok=True)
rows = pathlib.Path("inputs/rows.jsonl").read_text().splitlines()
rows[1] = rows[1].replace("two", "two" + drift)
(made / "rows.jsonl").write_text("\\n".join(rows) + "\\n")
"""
PPO = """
import json, os, pathlib, numpy, yaml
from safetensors.numpy import save_file
if "PPO_FAILS" in os.environ:
    raise SystemExit("no such device")
made = pathlib.Path("artifacts/ppo"); made.mkdir(parents=True, exist_ok=True)
seed = yaml.safe_load(open("params.yaml"))["seed"]
weights = numpy.arange(6, dtype="float32").reshape(2, 3) + seed
weights[1, 2] += float(os.environ.get("PPO_DRIFT", 0))
save_file({"head": weights[0], "tail": weights}, made / "model.safetensors")
(made / "history.csv").write_text("step,loss\\n1,0.5\\n")
pathlib.Path("metrics").mkdir(exist_ok=True)
pathlib.Path("metrics/ppo.json").write_text(json.dumps({"mean": float(weights[0].mean())}))
"""


def record(project: FamilyProject, name: str, dirty: bool = False) -> None:
    """Run the pipeline as a flow does and save it as an experiment."""
    with closing(Pipeline(project.path)) as pipeline:
        for stage in ("data", "ppo"):
            pipeline.reproduce(stage)
        made = {stage: artifact_id(pipeline.locked(stage)) for stage in ("data", "ppo")}
        told = " ".join(f"{stage}={oid}" for stage, oid in made.items())
        facts = {
            "Flow": "rlhf",
            "Stages": "data ppo",
            "Made": told,
            "Policy": f"ppo={made['ppo']}",
            "Dirty": str(dirty).lower(),
        }
        pipeline.save_experiment(name, run_message(name, facts))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> FamilyProject:
    """`calm` is of committed code, `wild` of code that was not."""
    project = FamilyProject(tmp_path_factory.mktemp("made") / "project")
    path = project.path
    for name, text in (
        ("dvc.yaml", PIPELINE),
        ("data.py", DATA),
        ("ppo.py", PPO),
        ("requirements.txt", "nosuch==1.0\n"),
    ):
        (path / name).write_text(text)
    (path / "inputs").mkdir()
    (path / "inputs" / "rows.jsonl").write_text('{"n": "one"}\n{"n": "two"}\n{"n": "three"}\n')
    run_dvc(path, "add", "inputs/rows.jsonl")
    project.git.run("add", "--all")
    project.git.run("commit", "--quiet", "--message", "pipeline")
    record(project, "calm")
    (path / "ppo.py").write_text(PPO.replace("+ seed", "+ 2 * seed + 1"))
    record(project, "wild", dirty=True)
    (path / "ppo.py").write_text(PPO)
    return project


def made_again(project: FamilyProject, name: str) -> tuple[Model, Reproduction, list[str]]:
    said: list[str] = []
    with closing(Index(project.path)) as index, Store(project.path) as store:
        model = find_model(project.path, index, name)
        return model, reproduce(project.path, index, store, model, said.append), said


def objects(project: FamilyProject) -> set[Path]:
    return {file for file in project.cache.rglob("*") if file.is_file()}


def test_it_is_made_anew_bit_for_bit_even_where_its_bytes_are_gone(project: FamilyProject) -> None:
    model, _, _ = made_again(project, "calm")
    place = project.place(model.derivation.artifact)
    hidden = place.rename(place.with_suffix(".hidden"))
    before = objects(project)
    try:
        model, told, said = made_again(project, "calm")
    finally:
        hidden.rename(place)
    assert told.difference is None
    assert [oid[:4] for oid in told.same] == [model.run.lock[stage]["outs"][0]["md5"][:4] for stage in ("data", "ppo")]
    assert "reproduced bit for bit: all 2 artifacts" in page(model, told)
    assert "1 packages are not those of the run: nosuch 1.0 → not installed" in said[1]
    assert objects(project) - {place} == before - {hidden}, "nothing came from or went to the project's cache"
    assert not list((project.path / ".stemma" / "workspaces").glob("*/"))


def test_a_run_of_uncommitted_code_is_made_with_that_code(project: FamilyProject) -> None:
    model, told, said = made_again(project, "wild")
    assert told.difference is None, told.difference
    assert "with uncommitted changes" in said[0]
    calm = made_again(project, "calm")[0]
    assert model.derivation.artifact != calm.derivation.artifact


def test_a_stage_that_is_not_a_pure_function_is_named(project: FamilyProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PPO_DRIFT", "0.25")
    model, told, said = made_again(project, "calm")
    assert told.difference
    assert told.difference.stage == "ppo"
    assert told.difference.recorded == model.derivation.artifact
    assert told.same == (model.run.lock["data"]["outs"][0]["md5"],)
    printed = page(model, told)
    assert "model.safetensors: md5 " in printed
    assert "tensor tail: 1 of 6 numbers differ, by 0.25 at most" in printed
    assert "tensor head" not in printed
    assert "differs" in said[-1]


def test_by_command_the_first_row_that_differs_is_shown(
    project: FamilyProject, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATA_DRIFT", " and a half")
    monkeypatch.chdir(project.path)
    assert main(["reproduce", "calm"]) == 1
    printed = capsys.readouterr().out
    assert "The first artifact that differs is data:" in printed
    assert '    line 2 was {"n": "two"}\n    line 2 is  {"n": "two and a half"}\n' in printed


def test_a_stage_that_fails_says_why(project: FamilyProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PPO_FAILS", "1")
    with pytest.raises(ArtifactError, match="ppo could not be made again"):
        made_again(project, "calm")
    assert not list((project.path / ".stemma" / "workspaces").glob("*/"))


@pytest.mark.parametrize("damage", [b'{"n": "one"}\n', None])
def test_raw_data_that_is_not_there_as_it_was_cannot_be_begun_from(
    project: FamilyProject, damage: bytes | None
) -> None:
    raw = next(file for file in objects(project) if file.read_bytes().endswith(b'{"n": "three"}\n'))
    kept = raw.read_bytes()
    raw.unlink()
    try:
        if damage:
            raw.write_bytes(damage)
        with pytest.raises(
            ArtifactError, match=r"raw file rows\.jsonl, object .* neither in the cache nor on a remote"
        ):
            made_again(project, "calm")
    finally:
        raw.unlink(missing_ok=True)
        raw.write_bytes(kept)


def test_packages_are_compared_with_what_the_run_pins() -> None:
    lines = [
        "# pins",
        "numpy==0.1",
        "pytest>=1  # any",
        "win==3; sys_platform == 'win32'",
        "--hash=x",
        "no-such-package==2",
    ]
    assert package_differences("\n".join(lines)) == [
        f"numpy 0.1 → {np.__version__}",
        "no-such-package 2 → not installed",
    ]


def test_tensors_are_compared_number_by_number(tmp_path: Path) -> None:
    old, new = tmp_path / "old.safetensors", tmp_path / "new.safetensors"
    same = np.ones(3, dtype=np.int64)
    save_file({"a": np.zeros((2, 2), dtype=np.float16), "gone": same, "same": same, "shape": same}, old)
    changed = np.zeros((2, 2), dtype=np.float16)
    changed[0, 1], changed[1, 1] = -2, 0.5
    save_file({"a": changed, "new": same, "same": same, "shape": np.ones(2, dtype=np.int64)}, new)
    assert tensor_differences(old, new) == [
        "tensor gone is gone",
        "tensor new is new",
        "tensor shape was I64 (3,), is I64 (2,)",
        "tensor a: 2 of 4 numbers differ, by 2 at most",
    ]


def test_bfloat16_is_read_as_numbers(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("old.safetensors", "new.safetensors")]
    for file, word in zip(files, (0x3F80, 0x4000), strict=True):  # 1.0 and 2.0
        header = json.dumps({"w": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}).encode()
        file.write_bytes(len(header).to_bytes(8, "little") + header + word.to_bytes(2, "little"))
    assert tensor_differences(*files) == ["tensor w: 1 of 1 numbers differ, by 1 at most"]
