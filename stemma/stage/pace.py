"""How long the rest of some steps may take, by the pace of those that were timed."""

import time


class Pace:
    """The pace of steps since the first one that it is told of, which is where it begins to measure."""

    def __init__(self) -> None:
        self._began: tuple[float, int] | None = None
        self._last = 0

    def left(self, step: int, total: int) -> float | None:
        """Seconds that the steps after this one may take; None where no step has been timed yet."""
        now = time.monotonic()
        if self._began is None or step < self._last:
            self._began = (now, step)
        self._last = step
        began, first = self._began
        return (now - began) / (step - first) * (total - step) if step > first else None

    def left_text(self, step: int, total: int) -> str:
        """The same as a text; empty after the last step."""
        seconds = self.left(step, total)
        if step >= total:
            return ""
        return "time left not known yet" if seconds is None else f"about {duration_text(seconds)} left"


def duration_text(seconds: float) -> str:
    """A duration, as exact as an estimate deserves."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
