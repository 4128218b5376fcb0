"""How much an answer repeats itself."""

from collections.abc import Sequence

N = 3
"""Tokens in an n-gram: short, because the default world's answers have 6 to 23 tokens."""


def repeated_share(tokens: Sequence[int]) -> float:
    """The share of an answer's n-grams that stood in it before: 1 − distinct / all (Welleck et al. 2020, section 6.1).

    An answer of fewer than n tokens repeats nothing: 0.
    """
    ngrams = [tuple(tokens[start : start + N]) for start in range(len(tokens) - N + 1)]
    return 1 - len(set(ngrams)) / len(ngrams) if ngrams else 0.0
