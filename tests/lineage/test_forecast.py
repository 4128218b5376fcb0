"""What is foreseen of stages, beside what DVC then does: a real project, two small stages, a real cache."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from stemma.lineage.dvc import Pipeline
from stemma.lineage.forecast import Forecast, forecast
from tests.family import FamilyProject

STAGES = ("data", "sft")
DVC_YAML = """
stages:
  data:
    cmd: mkdir -p artifacts/data && cat inputs/rows code.py > artifacts/data/rows
    params: [seed]
    deps: [code.py, inputs]
    outs: [artifacts/data]
  sft:
    cmd: mkdir -p artifacts/sft metrics; wc -l < artifacts/data/rows > artifacts/sft/model; echo 1 > metrics/sft.json
    params: [sft]
    deps: [artifacts/data]
    outs: [artifacts/sft]
    metrics: [metrics/sft.json: {cache: false}]
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose two stages have run once."""
    root = FamilyProject(tmp_path_factory.mktemp("forecast") / "project").path
    (root / "dvc.yaml").write_text(DVC_YAML)
    (root / "params.yaml").write_text("seed: 0\nsft: {rate: 1}\n")
    (root / "code.py").write_text("a = 1\n")
    (root / "inputs").mkdir()
    (root / "inputs" / "rows").write_text("one\ntwo\n")
    with closing(Pipeline(root)) as pipeline:
        for stage in STAGES:
            pipeline.reproduce(stage)
    return root


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(finished, tmp_path / "project", symlinks=True))


@pytest.fixture
def pipeline(project: Path) -> Iterator[Pipeline]:
    with closing(Pipeline(project)) as opened:
        yield opened


def as_a_fresh_workspace(root: Path) -> None:
    """What a run begins with: neither artifacts nor dvc.lock, but the cache."""
    for folder in ("artifacts", "metrics"):
        shutil.rmtree(root / folder)
    (root / "dvc.lock").unlink()


def foreseen(pipeline: Pipeline, *unknown: str) -> dict[str, Forecast]:
    return {one.stage: one for one in forecast(pipeline, STAGES, unknown)}


def really_runs(pipeline: Pipeline, stage: str) -> bool:
    """Whether DVC runs the stage's command, which leaves a file in the workspace; it is brought up to date."""
    note = pipeline.folder / "ran"
    shell = pipeline.folder / "shell"
    shell.write_text(f'#!/bin/sh\ntouch {note}\nexec /bin/sh "$@"\n')
    shell.chmod(0o755)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SHELL", str(shell))
        pipeline.reproduce(stage)
    ran = note.exists()
    note.unlink(missing_ok=True)
    return ran


def nothing(_: Path) -> None:
    pass


def new_setting(root: Path) -> None:
    (root / "params.yaml").write_text("seed: 0\nsft: {rate: 2}\n")


def new_command(root: Path) -> None:
    (root / "dvc.yaml").write_text(DVC_YAML.replace("wc -l", "wc -c"))


def lost_metrics(root: Path) -> None:
    """The bytes of a metrics file are in the cache though DVC does not track it."""
    cached = root / ".dvc/cache/files/md5/b0/26324c6904b2a9cb4b88d6d61c81d1"
    assert cached.read_text() == "1\n"
    cached.unlink()


@pytest.mark.parametrize(
    ("change", "sft_runs"), [(nothing, False), (new_setting, True), (new_command, True), (lost_metrics, True)]
)
def test_dvc_does_what_was_foreseen(project: Path, change: Callable[[Path], None], sft_runs: bool) -> None:
    as_a_fresh_workspace(project)
    change(project)
    with closing(Pipeline(project)) as pipeline:
        told = foreseen(pipeline)
        assert [told[stage].runs for stage in STAGES] == [False, sft_runs]
        assert [really_runs(pipeline, stage) for stage in STAGES] == [False, sft_runs]


def test_a_folder_with_its_lock(project: Path, pipeline: Pipeline) -> None:
    shutil.rmtree(project / ".dvc" / "cache" / "runs")
    assert not any(one.runs for one in foreseen(pipeline).values())
    new_setting(project)
    assert [one.runs for one in foreseen(pipeline).values()] == [False, True]


def test_of_a_new_input_nobody_knows_the_bytes(project: Path, pipeline: Pipeline) -> None:
    before = foreseen(pipeline)
    as_a_fresh_workspace(project)
    (project / "code.py").write_text("a = 2\n")
    told = foreseen(pipeline)
    assert told["data"].runs
    assert (told["sft"].runs, told["sft"].unknown, told["sft"].artifact) == (True, ("artifacts/data",), None)
    assert before["sft"].entry["deps"][0]["md5"] == before["data"].artifact
    assert told["sft"].entry["deps"][0]["md5"] is None


def test_what_was_made_before_comes_out_the_same(project: Path, pipeline: Pipeline) -> None:
    """The bytes of data are lost, its entry in the run-cache is not: sft can be restored all the same."""
    before = foreseen(pipeline)["data"].artifact
    assert before is not None
    as_a_fresh_workspace(project)
    (project / ".dvc/cache/files/md5" / before[:2] / before[2:]).unlink()
    told = foreseen(pipeline)
    assert (told["data"].runs, told["data"].artifact) == (True, before)
    assert not told["sft"].runs
    assert [really_runs(pipeline, stage) for stage in STAGES] == [True, False]


def test_an_input_that_is_taken_in_later(pipeline: Pipeline) -> None:
    told = foreseen(pipeline, "inputs")
    assert (told["data"].runs, told["data"].unknown) == (True, ("inputs",))
    assert told["sft"].unknown == ("artifacts/data",)


def test_foreseeing_changes_nothing(project: Path, pipeline: Pipeline) -> None:
    as_a_fresh_workspace(project)

    def files() -> dict[Path, int]:
        return {
            path: path.stat().st_mtime_ns
            for path in project.rglob("*")
            if path.is_file() and ".dvc/tmp" not in str(path)
        }

    before = files()
    foreseen(pipeline)
    assert files() == before
