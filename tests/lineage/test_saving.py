"""What a run leaves in Git when it is saved, without a stage in sight."""

from contextlib import closing
from pathlib import Path

from stemma.lineage.dvc import Pipeline
from stemma.lineage.index import Index
from stemma.lineage.runs import run_message
from stemma.lineage.start import start_here
from stemma.lineage.workspace import open_workspace
from tests.family import FamilyProject

FACTS = {"Flow": "dpo", "Stages": "", "Made": "", "Policy": "dpo=none"}


def saved(project: FamilyProject, name: str, files: list[Path]) -> list[str]:
    """Save a run that took in these files; what its commit holds under inputs/."""
    with (
        open_workspace(project.path, name, start_here(project.path), {"seed": 0}, files) as workspace,
        closing(Pipeline(workspace.path)) as pipeline,
    ):
        pipeline.save_experiment(name, run_message(name, FACTS))
    with closing(Index(project.path)) as index:
        (run,) = index.runs_named(name)
    return project.git.run("ls-tree", "-r", "--name-only", run.commit, "inputs/").splitlines()


def test_the_users_files_are_on_record_with_the_run(tmp_path: Path) -> None:
    project = FamilyProject(tmp_path / "project")
    (project.path / "inputs" / "data").mkdir(parents=True)
    (project.path / "inputs" / "data" / "README").write_text("raw files\n")
    project.git.run("add", "inputs")
    project.git.run("commit", "--quiet", "--message", "inputs")
    rows = tmp_path / "rows.jsonl"
    rows.write_text("{}\n")
    own = ["inputs/data/.gitignore", "inputs/data/README", "inputs/data/rows.jsonl.dvc"]
    assert saved(project, "own", [rows]) == own
    assert saved(project, "world", []) == ["inputs/data/README"]
