"""The data that a family of models is made from, as the data stage leaves it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from stemma.records.jsonl import write_rows
from stemma.records.types import Comparison, Demonstration, Document, Prompt


@dataclass(frozen=True)
class Dataset:
    """Rows of every kind; a kind that the data does not have is empty."""

    corpus: tuple[Document, ...] = ()
    demonstrations: tuple[Demonstration, ...] = ()
    prompts: tuple[Prompt, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    probe: tuple[Demonstration, ...] = ()
    """Facts that the base model must know before pre-training may stop."""

    def write(self, folder: Path) -> None:
        """Write one JSONL file a kind."""
        write_rows(folder / "corpus.jsonl", self.corpus)
        write_rows(folder / "demonstrations.jsonl", self.demonstrations)
        write_rows(folder / "prompts.jsonl", self.prompts)
        write_rows(folder / "comparisons.jsonl", self.comparisons)
        write_rows(folder / "probe.jsonl", self.probe)

    def counts(self) -> dict[str, object]:
        """Rows of each kind, prompts and comparisons of each split, and the assistant turns of the demonstrations."""
        return {
            "corpus": len(self.corpus),
            "demonstrations": len(self.demonstrations),
            "assistant_turns": sum(row.turns for row in self.demonstrations),
            "prompts": dict(sorted(Counter(prompt.split for prompt in self.prompts).items())),
            "kinds": dict(sorted(Counter(prompt.kind for prompt in self.prompts if prompt.kind).items())),
            "comparisons": dict(sorted(Counter(pair.split for pair in self.comparisons).items())),
            "probe": len(self.probe),
        }


def texts_of(documents: Iterable[Document]) -> Iterator[str]:
    """What the documents say, of which a tokenizer is made: plain texts, and the turns of conversations."""
    for document in documents:
        yield from [document.text] if document.text else [turn.content for turn in document.messages or ()]
