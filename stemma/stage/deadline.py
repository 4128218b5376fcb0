"""When a stage must stop because its run's budget is spent: once its next step is kept, or a while later in any case.

The flow says so in the environment, in seconds of CLOCK_MONOTONIC: setting the machine's clock does not move it.
"""

import os
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Self

from stemma.errors import BudgetError

DEADLINE_VARIABLE = "STEMMA_DEADLINE"
UNLIMITED = float("inf")


class Deadline(NamedTuple):
    """The two moments, in seconds of CLOCK_MONOTONIC."""

    keep_and_stop: float = UNLIMITED
    """From here on a step checkpoint is written at the next step that is reported, and then the stage stops."""
    stop: float = UNLIMITED
    """Here it stops wherever it is: its steps may take long, or it may have none."""

    @classmethod
    def from_environment(cls) -> Self:
        """What the flow said; unlimited where it said nothing."""
        said = os.environ.get(DEADLINE_VARIABLE, "")
        return cls(*map(float, said.split())) if said else cls()

    def __str__(self) -> str:
        return f"{self.keep_and_stop} {self.stop}"

    def postponed(self, seconds: float) -> Self:
        """The same so much later: time in which a stage waits is no work of its own."""
        return type(self)(self.keep_and_stop + seconds, self.stop + seconds)

    def tell(self) -> None:
        """Say so in the environment, for this process and those that it starts."""
        os.environ[DEADLINE_VARIABLE] = str(self) if self.keep_and_stop < UNLIMITED else ""

    def is_over(self) -> bool:
        """Whether the budget is spent."""
        return time.monotonic() >= self.keep_and_stop

    def check(self, done: str) -> None:
        """Raise BudgetError where the budget is spent; `done` tells how far the stage is."""
        if self.is_over():
            raise BudgetError(f"the run's budget is spent, and {done}")

    def enforce(self, stop: Callable[[str], None]) -> None:
        """Call `stop` with a reason, from a thread, at the moment when the stage stops wherever it is."""
        if self.stop < UNLIMITED:
            threading.Thread(target=self._wait, args=(stop,), daemon=True).start()

    def _wait(self, stop: Callable[[str], None]) -> None:
        # Not slept in one go: a sleep may be off by what the machine was suspended for.
        while (left := self.stop - time.monotonic()) > 0:
            time.sleep(min(left, 1.0))
        stop("the run's budget is spent, and what was done since the last step checkpoint is lost")
