"""The view in MLflow, kept by a process of its own: neither MLflow's start nor a slow server holds a flow up."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from flows.settings import ProjectSettings, stage_values
from stemma.config import Values
from stemma.stage.orphan import end_with
from stemma.view.live_run import MlflowView

P = ParamSpec("P")
T = TypeVar("T")

_said: list[str] = []
"""In the view's process: what it has to tell the person."""
_view: MlflowView
"""In the view's process: the view."""


class Projection:
    """Hands calls to the view's process, which carries them out one by one, in order."""

    def __init__(self, root: Path, say: Callable[[str], None]) -> None:
        self._say = say
        self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _open, (root, os.getpid()))
        self._lost = False
        self._pool.submit(int)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._submit(_fill_in, stage_values(ProjectSettings()))
        self._pool.shutdown()

    def post(self, method: Callable[Concatenate[MlflowView, P], T], *args: P.args, **kwargs: P.kwargs) -> None:
        """Have the view carry out a method, some time soon."""
        self._submit(method, *args, **kwargs)

    def ask(self, method: Callable[Concatenate[MlflowView, P], T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Have the view carry out a method and wait for what it returns; None where MLflow does not answer."""
        future = self._submit(method, *args, **kwargs)
        return None if future is None or future.exception() else future.result()[0]

    def _submit(
        self, method: Callable[Concatenate[MlflowView, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Future[tuple[T, list[str]]] | None:
        try:
            future = self._pool.submit(_carry_out, method, args, kwargs)
        except BrokenExecutor as error:
            self._lose(error)
            return None
        future.add_done_callback(self._hear)
        return future

    def _hear(self, future: "Future[tuple[T, list[str]]]") -> None:
        error = future.exception()
        if isinstance(error, BrokenExecutor):
            self._lose(error)
            return
        if error:
            self._say(f"MLflow does not show all of this run, `stemma reconcile` does: {type(error).__name__} {error}")
            return
        for text in future.result()[1]:
            self._say(text)

    def _lose(self, error: BaseException) -> None:
        if not self._lost:
            self._lost = True
            self._say(f"the view in MLflow ended early; the run goes on unseen by it: {error}")


def _fill_in(view: MlflowView, defaults: Values) -> None:
    """Show what went unseen while MLflow did not answer, where it answers again by the end of the run."""
    from stemma.view.reconcile import reconcile

    if view.lost:
        report = reconcile(view.root, defaults)
        view.warn(f"MLflow answers again; what it had missed is filled in: {len(report.mended)} records")


def _open(root: Path, flow_pid: int) -> None:
    """Make the view, in its own process; a signal to all is the flow's to handle, which then closes the view."""
    global _view  # noqa: PLW0603 -- a worker process keeps what its initializer made in no other place
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    end_with(flow_pid)
    _view = MlflowView(root, warn=_said.append)


def _carry_out(method: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[T, list[str]]:
    result = method(_view, *args, **kwargs)
    said = list(_said)
    _said.clear()
    return result, said
