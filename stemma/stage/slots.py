"""The slots of one stage: it waits until the machine has them to spare, and sees no other GPU while it holds them."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stemma.stage.offer import VISIBLE_VARIABLE, offer_of_machine
from stemma.stage.progress import Progress
from stemma.stage.resources import needs_of
from stemma.stage.tickets import coming, taken

RUN_VARIABLE = "STEMMA_RUN"
SINCE_VARIABLE = "STEMMA_RUN_SINCE"


@contextmanager
def in_line(run: str, since: float) -> Iterator[None]:
    """Give the stages that this process starts meanwhile the place of their run, whose turn came at `since`."""
    os.environ.update({RUN_VARIABLE: run, SINCE_VARIABLE: repr(since)})
    with coming(run, since):
        try:
            yield
        finally:
            for name in (RUN_VARIABLE, SINCE_VARIABLE):
                os.environ.pop(name, None)


@contextmanager
def slots_for(stage: str, section: str, params: Mapping[str, Any], progress: Progress) -> Iterator[None]:
    """Hold what a stage needs by the values of params.yaml; what it waits for, and how long, is told.

    Raises SettingsError where this machine can never give it.
    """
    needs, began = needs_of(section, params), time.monotonic()
    if needs.is_nothing:
        if needs.device == "cuda":
            os.environ[VISIBLE_VARIABLE] = ""
        yield
        return
    offer = offer_of_machine(needs.device)
    offer.check(section, needs)
    run = os.environ.get(RUN_VARIABLE, f"in {Path.cwd()}")
    since = float(os.environ.get(SINCE_VARIABLE, time.time()))
    with taken(stage, run, since, needs, offer, progress.waits) as slots:
        if needs.device == "cuda":
            os.environ[VISIBLE_VARIABLE] = ",".join(slots)
        progress.waited(time.monotonic() - began)
        yield
