"""Reading a user's files: what was taken, what was not, and why."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from stemma.errors import DataError
from stemma.records.example import Example
from stemma.records.fault import RowFault
from stemma.records.recognition import FORMS, read_example
from stemma.records.source_file import SourceRow, read_source
from stemma.records.types import Reject

REASONS_TOLD = 5


@dataclass
class Reading:
    """Everything that the files held."""

    examples: list[Example] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    files: dict[str, dict[str, object]] = field(default_factory=dict)
    """For each file: rows, rejected rows, rows taken by form, and, if any, taken rows whose answers nobody compared."""

    def rejected_reasons(self) -> dict[str, int]:
        """How often each reason was given, the most frequent first; what differs between rows is left out."""
        counts = Counter(_reason(reject) for reject in self.rejects)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def check(self, max_rejected_share: float, setting: str = "data.max_rejected_share") -> None:
        """Refuse data of which nothing, or too little, could be taken; `setting` is what the share is called.

        Raises DataError naming the reasons, how often each was given, and the first row of each.
        """
        rows = len(self.examples) + len(self.rejects)
        share = len(self.rejects) / rows
        if not self.examples:
            raise DataError(f"none of the {rows} rows could be taken:\n{self._told()}\nMend the rows.")
        if share > max_rejected_share:
            raise DataError(
                f"{len(self.rejects)} of {rows} rows ({share:.1%}) were rejected, more than {setting} "
                f"{max_rejected_share} allows:\n{self._told()}\nMend the rows, or raise {setting}."
            )

    def _told(self) -> str:
        reasons = list(self.rejected_reasons().items())
        lines = []
        for reason, count in reasons[:REASONS_TOLD]:
            first = next(reject for reject in self.rejects if _reason(reject) == reason)
            lines.append(f"  {count} × {first.field} {first.reason} (first: {first.file}:{first.line})")
        left = len(reasons) - REASONS_TOLD
        return "\n".join(lines + [f"  and {left} other reasons"] * (left > 0))


class Limits(NamedTuple):
    """How long the texts of a row may be."""

    max_prompt_chars: int
    max_answer_chars: int


RowReader = Callable[[Any], Example]
"""Reads one row. Raises RowFault."""


def read_files(paths: Mapping[str, Path], limits: Limits | None = None, read: RowReader = read_example) -> Reading:
    """Read every row of every file; `paths` gives each file's name in reports.

    A row that repeats an earlier one of the same content is rejected, in whichever file that was.
    Raises DataError where a file as a whole cannot be read.
    """
    reading = Reading()
    first_places: dict[bytes, str] = {}
    for name, path in paths.items():
        forms: Counter[str] = Counter()
        rows = unanswered = 0
        for row in read_source(path):
            rows += 1
            try:
                example = _taken(row, read, limits)
                _check_new(_marks(example, row.value, name), f"{name}:{row.line}", first_places)
            except RowFault as fault:
                reading.rejects.append(Reject(file=name, line=row.line, field=fault.field, reason=fault.reason))
                continue
            forms[example.form] += 1
            unanswered += bool(example.answers) and not example.opinions
            reading.examples.append(example)
        told = {"rows": rows, "rejected": rows - forms.total(), "taken": dict(sorted(forms.items()))}
        reading.files[name] = told | ({"unanswered": unanswered} if unanswered else {})
    return reading


def _taken(row: SourceRow, read: RowReader, limits: Limits | None) -> Example:
    if row.fault is not None:
        raise row.fault
    example = read(row.value)
    if limits is not None:
        _check_lengths(example, limits)
    return example


def _check_lengths(example: Example, limits: Limits) -> None:
    prompt = sum(len(message.content) for message in example.prompt or ())
    _check_length("prompt", prompt, "data.max_prompt_chars", limits.max_prompt_chars)
    for text in (example.target or "", *(answer.text for answer in example.answers)):
        _check_length("answer", len(text), "data.max_answer_chars", limits.max_answer_chars)


def _check_length(field: str, length: int, setting: str, most: int) -> None:
    if length > most:
        raise RowFault(field, f"is longer than {setting} {most}: {length} characters")


def _marks(example: Example, value: Any, file: str) -> dict[bytes, str]:
    """What no two rows may have in common, and what is said of a row that has it too."""
    marks = {_digest(example.model_dump_json()): "repeats an earlier row"}
    if FORMS[example.form].has_ids and value.get("id") is not None:
        marks[_digest(f"{file}\n{value['id']!r}")] = "has the id of an earlier row"
    return marks


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _check_new(marks: Mapping[bytes, str], place: str, first_places: dict[bytes, str]) -> None:
    for mark, said in marks.items():
        if mark in first_places:
            raise RowFault("(row)", f"{said}: {first_places[mark]}")
    first_places |= dict.fromkeys(marks, place)


def _reason(reject: Reject) -> str:
    return reject.reason.partition(":")[0]
