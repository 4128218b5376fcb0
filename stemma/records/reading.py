"""Reading a user's files: what was taken, what was not, and why."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from stemma.errors import DataError
from stemma.records.example import Example
from stemma.records.fault import RowFault
from stemma.records.recognition import read_example
from stemma.records.source_file import SourceRow, read_source
from stemma.records.types import Reject

REASONS_TOLD = 5


@dataclass
class Reading:
    """Everything that the files held."""

    examples: list[Example] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    files: dict[str, dict[str, object]] = field(default_factory=dict)
    """For each file: rows, rejected rows, and rows taken by form."""

    def rejected_reasons(self) -> dict[str, int]:
        """How often each reason was given, the most frequent first; what differs between rows is left out."""
        counts = Counter(_reason(reject) for reject in self.rejects)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def check(self, max_rejected_share: float) -> None:
        """Refuse data of which nothing, or too little, could be taken.

        Raises DataError naming the reasons, how often each was given, and the first row of each.
        """
        rows = len(self.examples) + len(self.rejects)
        share = len(self.rejects) / rows
        if not self.examples:
            raise DataError(f"none of the {rows} rows could be taken:\n{self._told()}\nMend the rows.")
        if share > max_rejected_share:
            raise DataError(
                f"{len(self.rejects)} of {rows} rows ({share:.1%}) were rejected, more than data.max_rejected_share "
                f"{max_rejected_share} allows:\n{self._told()}\nMend the rows, or raise data.max_rejected_share."
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


def read_files(paths: Mapping[str, Path], ignored: Collection[str], limits: Limits) -> Reading:
    """Read every row of every file; `paths` gives each file's name in reports.

    A row that repeats an earlier one of the same content is rejected, in whichever file that was.
    Raises DataError where a file as a whole cannot be read.
    """
    reading = Reading()
    first_places: dict[Example, str] = {}
    for name, path in paths.items():
        forms: Counter[str] = Counter()
        rows = read_source(path)
        for row in rows:
            try:
                example = _taken(row, ignored, limits)
                _check_new(example, first_places)
            except RowFault as fault:
                reading.rejects.append(Reject(file=name, line=row.line, field=fault.field, reason=fault.reason))
                continue
            first_places[example] = f"{name}:{row.line}"
            forms[example.form] += 1
            reading.examples.append(example)
        taken = forms.total()
        reading.files[name] = {"rows": len(rows), "rejected": len(rows) - taken, "taken": dict(sorted(forms.items()))}
    return reading


def _taken(row: SourceRow, ignored: Collection[str], limits: Limits) -> Example:
    if row.fault is not None:
        raise row.fault
    example = read_example(row.value, ignored)
    _check_length("prompt", "".join(message.content for message in example.prompt or ()), limits.max_prompt_chars)
    _check_length("answer", example.answer or "", limits.max_answer_chars)
    _check_length("rejected", example.rejected or "", limits.max_answer_chars)
    return example


def _check_length(field: str, text: str, most: int) -> None:
    if len(text) > most:
        setting = "data.max_prompt_chars" if field == "prompt" else "data.max_answer_chars"
        raise RowFault(field, f"is longer than {setting} {most}: {len(text)} characters")


def _check_new(example: Example, first_places: Mapping[Example, str]) -> None:
    if example in first_places:
        raise RowFault("(row)", f"repeats an earlier row: {first_places[example]}")


def _reason(reject: Reject) -> str:
    return reject.reason.partition(":")[0]
