"""Taking a judge's answers in: what is read is kept at once, what cannot be read is counted, progress is told."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict

from stemma.errors import DataError
from stemma.judging.answer_cache import AnswerCache
from stemma.judging.reply import Reply, UnreadableError
from stemma.stage.progress import SECONDS_BETWEEN_LINES

Told = Mapping[str, Reply | UnreadableError]
"""Answers by their question's key; for what could not be read, the reason."""
SHOWN_CHARS = 200
Say = Callable[[str], None]
"""Tells whoever watches one line."""


class Intake:
    """Takes the answers of one judge in."""

    def __init__(self, name: str, cache: AnswerCache, say: Say, keys: list[str], most_broken_share: float) -> None:
        self.replies = {key: Reply(**kept) for key, kept in cache.find(keys).items()}
        """The answers so far, by key; those kept from before are there at once."""
        self.broken: Counter[str] = Counter()
        """Why answers could not be read, with how many."""
        self._name = name
        self._cache = cache
        self._say = say
        self._total = len(keys)
        self._most_broken = most_broken_share * len(keys)
        self._began = self._last_line = time.monotonic()
        self._kept = len(self.replies)
        if self._kept:
            say(f"judge {name}: {self._kept} of {self._total} answers are known already")

    def take(self, told: Told) -> None:
        """Take answers in.

        Raises DataError as soon as more are broken than the settings allow.
        """
        good = {key: reply for key, reply in told.items() if isinstance(reply, Reply)}
        self._cache.keep({key: asdict(reply) for key, reply in good.items()})
        # Where another answer is kept already, that one stands, so that the same run again gives the same.
        self.replies |= {key: Reply(**kept) for key, kept in self._cache.find(good).items()}
        bad = [reply for reply in told.values() if isinstance(reply, UnreadableError)]
        self.broken.update(map(str, bad))
        if self.broken.total() > self._most_broken:
            raise DataError(self._too_much(next((reply.said for reply in bad if reply.said), "")))
        self._tell()

    def _too_much(self, said: str) -> str:
        example = f"; the last one: {said[:SHOWN_CHARS]!r}" if said else ""
        reasons = ", ".join(f"{reason} ({count})" for reason, count in self.broken.most_common(3))
        return (
            f"judge {self._name}: {self.broken.total()} of {self._total} answers cannot be read: {reasons}{example}. "
            "That is more than ai_label.most_broken_share; look at the judge, its max_tokens and logprobs, and the "
            "constitution's prompt, or raise that share. What was read is kept."
        )

    def _tell(self) -> None:
        now, done = time.monotonic(), len(self.replies) + self.broken.total()
        if now - self._last_line < SECONDS_BETWEEN_LINES and done < self._total:
            return
        self._last_line = now
        left = (now - self._began) / max(done - self._kept, 1) * (self._total - done)
        broken = f", {self.broken.total()} broken" if self.broken else ""
        self._say(f"judge {self._name}: {done} of {self._total} answers{broken}, {left:.0f} s left")
