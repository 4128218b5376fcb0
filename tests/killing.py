"""Work that is killed in the middle, and what it leaves when it is done again."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from stemma.errors import BudgetError
from stemma.stage.deadline import Deadline
from stemma.stage.door import Stage
from stemma.stage.manifest import file_sha256
from stemma.stage.progress import Progress

Work = Callable[[Stage], object]


class DeadlyProgress(Progress):
    """Kills the process, as `kill -9` would, right after a step is logged."""

    last_step = 0

    def log(self, step: int, total: int, metrics: Mapping[str, float]) -> None:
        super().log(step, total, metrics)
        if step == self.last_step:
            os.kill(os.getpid(), signal.SIGKILL)


def kill_after(step: int, work: Work, stage: Stage) -> None:
    """Do the work in a child process that dies after the step; its scratch folder stays."""
    child = os.fork()
    if child == 0:
        progress = DeadlyProgress(stage.name, stage.scratch)
        progress.last_step = step
        try:
            work(replace(stage, progress=progress))
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the work ended before the step was logged"
    assert os.WTERMSIG(status) == signal.SIGKILL
    shutil.rmtree(stage.output)
    stage.output.mkdir()


class SpentProgress(Progress):
    """The run's budget is spent once a step is logged."""

    last_step = 0

    def log(self, step: int, total: int, metrics: Mapping[str, float]) -> None:
        super().log(step, total, metrics)
        if step == self.last_step:
            self._deadline = Deadline(keep_and_stop=0.0)


def stop_after(step: int, work: Work, stage: Stage) -> None:
    """Do the work until the run's budget is spent, at a step; its scratch folder stays."""
    progress = SpentProgress(stage.name, stage.scratch)
    progress.last_step = step
    with pytest.raises(BudgetError, match=f"step {step} is kept"):
        work(replace(stage, progress=progress))
    shutil.rmtree(stage.output)
    stage.output.mkdir()


@dataclass(frozen=True)
class Write:
    """A function that writes: an attribute of a class or module; with `only`, where its first word is one of these."""

    owner: Any
    name: str
    only: tuple[str, ...] = ()


def killed_before(step: int, work: Callable[[], object], *writes: Write) -> bool:
    """Do the work in a child process that dies before its step-th write; whether it died."""
    child = os.fork()
    if child == 0:
        ended = 1
        left = iter(range(step))
        try:
            for write in writes:
                setattr(write.owner, write.name, _deadly(getattr(write.owner, write.name), write.only, left))
            work()
            ended = 0
        finally:
            os._exit(ended)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def _deadly(function: Callable[..., Any], only: tuple[str, ...], left: Iterator[int]) -> Callable[..., Any]:
    def counting(*args: Any, **kwargs: Any) -> Any:
        if (not only or args[1] in only) and next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)

    return counting


def finish(work: Work, stage: Stage) -> dict[str, str]:
    """Do the work to its end as the door does; return every file's sha256 and leave the stage as before."""
    work(stage)
    stage.progress.write_history(stage.output)
    hashes = {path.name: file_sha256(path) for path in sorted(stage.output.iterdir())}
    for folder in (stage.output, stage.scratch):
        shutil.rmtree(folder)
        folder.mkdir()
    return hashes
