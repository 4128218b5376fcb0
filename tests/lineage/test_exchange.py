"""What machines exchange stage by stage, over a real DVC remote."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from stemma.lineage.dvc import Pipeline, run_dvc
from stemma.lineage.exchange import Exchange
from tests.family import FamilyProject

STAGE = "stages: {data: {cmd: echo made >> count && mkdir artifacts/data && cp params.yaml artifacts/data, "
STAGE += "deps: [params.yaml], outs: [artifacts/data]}}\n"


@pytest.fixture
def pipelines(tmp_path: Path) -> Iterator[tuple[Pipeline, Pipeline]]:
    """The same stage in two projects that have one remote."""
    projects = [FamilyProject(tmp_path / name) for name in ("one", "two")]
    for project in projects:
        run_dvc(project.path, "remote", "add", "--default", "store", str(tmp_path / "store"))
        (project.path / "dvc.yaml").write_text(STAGE)
        (project.path / "artifacts").mkdir()
    with closing(Pipeline(projects[0].path)) as one, closing(Pipeline(projects[1].path)) as two:
        yield one, two


def bring_up_to_date(pipeline: Pipeline, ran: bool, resends: bool = False) -> None:
    scratch = pipeline.folder / "scratch" / "data-0"
    with Exchange(pipeline.folder, print, sends_steps=False, resends=resends) as exchange:
        exchange.begin(pipeline, "data", scratch)
        pipeline.reproduce("data")
        exchange.end(pipeline, "data", scratch, ran)


def test_another_machine_repeats_no_stage(pipelines: tuple[Pipeline, Pipeline]) -> None:
    one, two = pipelines
    bring_up_to_date(one, ran=True)
    bring_up_to_date(two, ran=False)
    assert (one.folder / "count").exists()
    assert not (two.folder / "count").exists()
    assert (two.folder / "artifacts" / "data" / "params.yaml").read_text() == "seed: 0\n"


def test_what_a_killed_attempt_did_not_send_is_sent_by_the_next(pipelines: tuple[Pipeline, Pipeline]) -> None:
    one, two = pipelines
    one.reproduce("data")
    bring_up_to_date(one, ran=False, resends=True)
    bring_up_to_date(two, ran=False)
    assert not (two.folder / "count").exists()
