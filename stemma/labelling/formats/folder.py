"""Labels that were written by a stage or an import, as examples."""

from pathlib import Path

from stemma.errors import DataError
from stemma.labelling.formats.importing import LABELLED
from stemma.labelling.formats.verdicts import compared, examples_of
from stemma.records.example import Example
from stemma.records.jsonl import read_rows
from stemma.records.types import Comparison, Prompt, Verdict

PROMPTS = "prompts.jsonl"


def read_labels(folder: Path, prompts: Path | None = None) -> list[Example]:
    """Read the labels in a folder: whole rows where an import left them, or else verdicts, or else comparisons.

    `prompts` is where the prompts are that comparisons do not hold, such as those of ties.
    Raises DataError where there is nothing of the kind, or a verdict's prompt is nowhere.
    """
    if (folder / LABELLED).is_file():
        return read_rows(folder / LABELLED, Example)
    verdicts = read_rows(folder / "verdicts.jsonl", Verdict) if (folder / "verdicts.jsonl").is_file() else []
    path = folder / "comparisons.jsonl"
    comparisons = read_rows(path, Comparison) if path.is_file() else []
    if not verdicts and not comparisons:
        raise DataError(
            f"{folder} holds no labels; name a folder with {LABELLED}, verdicts.jsonl or comparisons.jsonl, "
            "an artifact of the stages data, ai_label or label, or a batch"
        )
    if not verdicts:
        return compared(comparisons)
    known = {row.prompt_id: row.prompt for row in comparisons}
    for place in (folder / PROMPTS, prompts):
        if place is not None and place.is_file():
            known |= {row.id: row.messages for row in read_rows(place, Prompt)}
    unknown = [verdict.prompt_id for verdict in verdicts if verdict.prompt_id not in known]
    if unknown:
        raise DataError(
            f"{folder}: {len(unknown)} verdicts are on prompts whose text is not there (first: {unknown[0]!r}); "
            f"put artifacts/data/{PROMPTS} beside them"
        )
    return examples_of(verdicts, known)
