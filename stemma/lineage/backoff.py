"""How long to wait before a network is tried again."""

import random
from collections.abc import Iterator

FIRST, LONGEST = 1.0, 60.0


def waits() -> Iterator[float]:
    """Seconds before each new try: doubled from 1 to 60, and spread so that many clients do not come at once."""
    wait = FIRST
    while True:
        yield wait * random.uniform(0.5, 1.5)  # noqa: S311 -- no secret hangs on it
        wait = min(2 * wait, LONGEST)
