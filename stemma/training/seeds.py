"""Seeds of parts of a training run, so that no random state has to be kept across a kill."""

import hashlib


def derived_seed(seed: int, purpose: str, number: int) -> int:
    """A seed below 2⁶³ for one purpose and one number, such as an update; unlike any other's, and always the same."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{number}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
