"""A run that fails, as MLflow shows it."""

from pathlib import Path

from stemma.view.live_run import MlflowView
from stemma.view.store import MlflowStore
from tests.family import FamilyProject


def test_a_failed_stage_leaves_a_child_run_with_its_reason_and_what_the_terminal_showed(tmp_path: Path) -> None:
    project = FamilyProject(tmp_path / "project")
    said: list[str] = []
    view = MlflowView(project.path, said.append)
    view.begin("calm", {"stemma.run": "calm"}, "seed: 0\n")
    view.begin_stage("sft", {"seed": 0})
    reason = "answers longer than the context of 64 tokens: raise base.context"
    view.fail_stage("sft", reason, f"sft runs: no run has it yet\n{reason}\n")
    view.end("FAILED", log=f"run calm\nsft failed. {reason}\n")
    client = MlflowStore(project.path).client
    parent, child = (client.get_run(number) for number in (view.parent, view.children["sft"]))
    assert (parent.info.status, child.info.status) == ("FAILED", "FAILED")
    assert child.data.tags["stemma.error"] == reason
    assert child.data.tags["mlflow.note.content"] == f"**Failed.** {reason}"
    texts = {
        name: Path(client.download_artifacts(run.info.run_id, name)).read_text()
        for run, name in ((parent, "params.yaml"), (parent, "run.log"), (child, "sft.log"))
    }
    assert texts["params.yaml"] == "seed: 0\n"
    assert texts["run.log"].endswith(f"sft failed. {reason}\n")
    assert reason in texts["sft.log"]
    assert not said
