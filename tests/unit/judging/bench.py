"""What a judge needs around it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TextIO

from stemma.judging.answer_cache import open_cache
from stemma.judging.case import Case
from stemma.judging.constitution import ComparePrompt, Constitution, CritiquePrompt, RevisePrompt
from stemma.judging.text_judge import Bench
from stemma.records.types import Prompt
from stemma.stage.live_lines import LiveLines
from tests.tiny import conversation

PLAIN = Constitution(
    name="plain",
    version=1,
    principles=("be right",),
    compare=ComparePrompt(user="{conversation} 1 {first} 2 {second}", with_reasons="Think."),
    critique=CritiquePrompt(user="{conversation} wrong in {answer} ?"),
    revise=RevisePrompt(user="{conversation} {answer} {critique} better :"),
)


@dataclass(frozen=True)
class Said:
    """An answer."""

    text: str
    finished: bool = True


def case(number: int, first: str = "yes", second: str = "no") -> Case:
    """A case with a prompt of its own."""
    prompt = Prompt(id=f"p{number}", messages=conversation(f"question {number}"), split="train")
    return Case(prompt, Said(first), Said(second))


@contextmanager
def bench(folder: Path, most_broken_share: float = 1.0, stream: TextIO | None = None) -> Iterator[Bench]:
    """The plain constitution and answers kept in a folder."""
    with open_cache(folder) as cache:
        yield Bench(PLAIN, "0" * 64, cache, 0, most_broken_share, LiveLines("bench", stream=stream or StringIO()))
