"""What every process of a run inherits: the right Python, where to look for its flow, and who commits."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stemma.stage.door import FLOW_PID_VARIABLE, SCRATCH_VARIABLE

AUTHOR = {
    "GIT_AUTHOR_NAME": "stemma",
    "GIT_AUTHOR_EMAIL": "stemma@localhost",
    "GIT_COMMITTER_NAME": "stemma",
    "GIT_COMMITTER_EMAIL": "stemma@localhost",
}
"""Who commits where Git does not know."""


@contextmanager
def stage_environment(scratch: Path, has_identity: bool) -> Iterator[None]:
    """Set the environment for the stages that this process starts meanwhile, and then put it back as it was.

    `has_identity` tells whether Git knows who commits; without it a run could not be saved on a fresh machine, so the
    run's commits are signed by stemma itself.
    """
    before = dict(os.environ)
    os.environ[FLOW_PID_VARIABLE] = str(os.getpid())
    os.environ[SCRATCH_VARIABLE] = str(scratch)
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    if not has_identity:
        os.environ.update(AUTHOR)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
