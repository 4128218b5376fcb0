"""A copy of a made-up project, for tests that would spend most of their time on making one."""

import shutil
from pathlib import Path

from stemma.lineage.git import Git
from tests.family import FamilyProject


def copied(project: FamilyProject, path: Path) -> FamilyProject:
    """Copy a project to a new folder."""
    shutil.copytree(project.path, path)
    copy = FamilyProject.__new__(FamilyProject)
    copy.__dict__ = {**project.__dict__, "path": path, "git": Git(path)}
    return copy
