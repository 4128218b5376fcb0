"""Chance that is the same in every run: a generator for each purpose, so that one purpose does not shift another."""

import random


def chance(seed: int, *purpose: object) -> random.Random:
    """Make the generator for a purpose, such as `chance(seed, "names")`; it depends on the words and the seed only."""
    return random.Random("/".join(map(str, (seed, *purpose))))  # noqa: S311 -- nothing here is secret
