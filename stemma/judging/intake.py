"""Taking a judge's answers in: what is read is kept at once, what cannot be read is counted, progress is told."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict

from stemma.errors import DataError
from stemma.judging.answer_cache import AnswerCache
from stemma.judging.reply import Reply, UnreadableError
from stemma.records.counting import counted
from stemma.stage.live_lines import LiveLines

Told = Mapping[str, Reply | UnreadableError]
"""Answers by their question's key; for what could not be read, the reason."""
SHOWN_CHARS = 200


class Intake:
    """Takes the answers of one judge in."""

    def __init__(
        self, name: str, cache: AnswerCache, progress: LiveLines, keys: list[str], most_broken_share: float
    ) -> None:
        self.replies = {key: Reply(**kept) for key, kept in cache.find(keys).items()}
        """The answers so far, by key; those kept from before are there at once."""
        self.broken: Counter[str] = Counter()
        """Why answers could not be read, with how many."""
        self._name = name
        self._cache = cache
        self._progress = progress
        self._total = len(keys)
        self._most_broken = most_broken_share * len(keys)
        progress.begin()
        progress.say(f"judge {name}: {counted(self._total, 'question')}, {len(self.replies)} answered before")
        if len(self.replies) < self._total:
            progress.at(len(self.replies), self._total)

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
        broken = self.broken.total()
        done = len(self.replies) + broken
        self._progress.at(done, self._total)
        if done >= self._total:
            unread = f", {counted(broken, 'answer')} cannot be read" if broken else ""
            answered = f"{len(self.replies)} of {counted(self._total, 'question')} answered"
            self._progress.say(f"judge {self._name}: {answered}{unread}")
