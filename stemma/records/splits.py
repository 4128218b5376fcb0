"""Which split a prompt of the user's own data belongs to."""

import hashlib
import json
from collections.abc import Mapping

from stemma.records.types import Conversation, Split

HELD_OUT: tuple[Split, ...] = ("test", "validation", "judge")
"""The splits that are kept from training, in the order in which they take their shares."""


def prompt_digest(prompt: Conversation) -> str:
    """The prompt's sha256 in hexadecimal, over its roles and contents."""
    turns = [[message.role, message.content] for message in prompt]
    return hashlib.sha256(json.dumps(turns).encode()).hexdigest()


def split_of(prompt: Conversation, shares: Mapping[Split, float]) -> Split:
    """Assign a prompt by its own text alone: the same prompt is in the same split in every file, order and run.

    It is the user's first message that decides, so that the stages of one conversation stay together: a longer one
    holds the shorter one's prompt and an answer to it. `shares` gives the shares of the held-out splits; the rest is
    train. The test split does not move when another split's share does.
    """
    opening = tuple(message for message in prompt if message.role == "user")[:1]
    place = int(prompt_digest(opening)[:13], 16) / 16**13
    for split in HELD_OUT:
        place -= shares[split]
        if place < 0:
            return split
    return "train"
