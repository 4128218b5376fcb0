"""Files of other tools as a folder of verdicts and comparisons."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from stemma.labelling.formats.verdicts import UNNAMED, verdicts_of
from stemma.records.example import Example
from stemma.records.forms.label_studio import read_task
from stemma.records.forms.label_studio_results import FORM as LABEL_STUDIO
from stemma.records.json_file import write_json
from stemma.records.jsonl import write_rows
from stemma.records.own_data import comparisons_of, prompt_row
from stemma.records.reading import Reading, RowReader
from stemma.records.recognition import form_named, read_as, read_example
from stemma.records.types import Comparison, Split, Verdict

LABELLED = "labelled.jsonl"
"""The rows of the files, whatever their formats, with everything that was in them; `stemma label export` reads it."""


def row_reader(form: str | None, ignored: Collection[str] = (), sides: tuple[str, str] | None = None) -> RowReader:
    """What reads a row: by the form of that name, or by its fields.

    `sides` is what `selected` says for the left and the right answer where a Label Studio project configured it.
    Raises DataError where no form has that name.
    """
    if sides is not None:
        chosen = {sides[0]: 0, sides[1]: 1}
        return partial(
            read_as, replace(form_named(LABEL_STUDIO), read=partial(read_task, sides=chosen)), ignored=ignored
        )
    if form is None:
        return partial(read_example, ignored=ignored)
    return partial(read_as, form_named(form), ignored=ignored)


def write_labels(folder: Path, reading: Reading, shares: Mapping[Split, float]) -> dict[str, object]:
    """Write the verdicts, the comparisons that follow from them, the whole rows, the rejects, and a report.

    `shares` gives the shares of prompts that are held out. Returns the report.
    """
    verdicts: list[Verdict] = []
    comparisons: list[Comparison] = []
    for example in reading.examples:
        if example.prompt is not None:
            prompt = prompt_row(example.prompt, shares)
            verdicts += verdicts_of(example, prompt.id)
            comparisons += comparisons_of(example, prompt)
    report = {**_counts(reading.examples, verdicts, comparisons), **_files(reading)}
    write_rows(folder / "verdicts.jsonl", verdicts)
    write_rows(folder / "comparisons.jsonl", comparisons)
    write_rows(folder / LABELLED, reading.examples)
    write_rows(folder / "rejects.jsonl", reading.rejects)
    write_json(folder / "report.json", report)
    return report


def _counts(
    examples: Iterable[Example], verdicts: Iterable[Verdict], comparisons: Iterable[Comparison]
) -> dict[str, object]:
    verdicts = list(verdicts)
    return {
        "verdicts": _told(verdict.choice for verdict in verdicts),
        "annotators": _told(verdict.annotator for verdict in verdicts if verdict.annotator not in {None, UNNAMED}),
        "judges": _told(verdict.judge for verdict in verdicts if verdict.judge is not None),
        "unnamed": sum(verdict.annotator == UNNAMED for verdict in verdicts),
        "comparisons": _told(comparison.split for comparison in comparisons),
        "unanswered": sum(bool(example.answers) and not example.opinions for example in examples),
    }


def _told(names: Iterable[str | None]) -> dict[str, int]:
    return dict(sorted(Counter(str(name) for name in names).items()))


def _files(reading: Reading) -> dict[str, object]:
    return {"files": reading.files, "rejected": reading.rejected_reasons()}
