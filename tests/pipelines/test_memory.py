"""A stage that does not fit the memory is run again with less at once, and that is on record."""

import re
import shutil
from pathlib import Path

from stemma.config import read_yaml
from tests.project import Project

ROWS_OF_256_MIB = """
def tight(config, stage):
    \"\"\"Train under a real limit, with 256 MiB more for each row of a forward pass than a model so small takes.\"\"\"
    import resource

    import torch

    pages = int(open("/proc/self/statm").read().split()[0])
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (1 << 30), most))
    torch.empty((config.batch_size // config.accumulation) << 28, dtype=torch.uint8)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    return train_dpo(config, stage)


if __name__ == "__main__":
    run_stage("dpo", DpoConfig, tight)
"""


def test_a_stage_that_does_not_fit(undisturbed: Project, tmp_path: Path) -> None:
    path = tmp_path / "tight"
    shutil.copytree(undisturbed.path, path, symlinks=True)
    project = Project(path, {**undisturbed.environment, "PYTHONPATH": str(path)})
    task = path / "tasks" / "dpo.py"
    before, mark, _ = task.read_text().partition('if __name__ == "__main__":')
    assert mark
    task.write_text(before + ROWS_OF_256_MIB)
    printed = project.run("dpo", "tight")
    told = (
        "dpo failed. the memory does not suffice: .*\ndpo is run again with dpo.accumulation {}; a step learns from as"
    )
    assert len(re.findall(told.format(r"1 → 2, dpo.eval_batch_size 256 → 128"), printed)) == 1
    assert len(re.findall(told.format(r"2 → 4, dpo.eval_batch_size 128 → 64"), printed)) == 1
    assert printed.count("is run again") == 2
    run = project.found("tight")
    found = run.lock["dpo"]["params"]["params.yaml"]["dpo"]
    assert (found["batch_size"], found["accumulation"], found["eval_batch_size"]) == (8, 4, 64)
    assert run.params["dpo"] == found
    assert read_yaml(path / "params.yaml")["dpo"]["accumulation"] == 1, "the project's own settings are a person's"
    again = project.run("dpo", "tight-again")
    assert again.count("is run again") == 2
    assert "\ndpo is restored: nothing changed, run tight made it" in again
    assert project.found("tight-again").made == {}
