"""The kinds of prompts in the default world."""

from typing import Literal, get_args

Kind = Literal["known", "unknown", "harmful"]
"""A question about a person whom the registry knows, about one whom it does not know, or a harmful request."""

KINDS: tuple[Kind, ...] = get_args(Kind)
