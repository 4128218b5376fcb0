"""Reading a user's files: what was taken, what was not, and why."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from stemma.errors import DataError
from stemma.records.counting import counted
from stemma.records.example import Example
from stemma.records.fault import RowFault
from stemma.records.recognition import FORMS, read_example
from stemma.records.source_file import SourceRow, read_source
from stemma.records.types import Reject

REASONS_TOLD = 5


class Place(NamedTuple):
    """Where a row stands."""

    file: str
    line: int


@dataclass
class Reading:
    """Everything that the files held."""

    names: list[str] = field(default_factory=list)
    """The files, in the order in which they were read."""
    examples: list[Example] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    """Where each example stands."""
    rejects: list[Reject] = field(default_factory=list)

    @property
    def files(self) -> dict[str, dict[str, object]]:
        """For each file: rows, rejected rows, rows taken by form, and those, if any, whose answers nobody compared."""
        return {name: self._file(name) for name in self.names}

    def _file(self, name: str) -> dict[str, object]:
        examples = [example for example, place in zip(self.examples, self.places, strict=True) if place.file == name]
        rejected = sum(reject.file == name for reject in self.rejects)
        unanswered = sum(bool(example.answers) and not example.opinions for example in examples)
        forms = Counter(example.form for example in examples)
        counts: dict[str, object] = {
            "rows": len(examples) + rejected,
            "rejected": rejected,
            "taken": dict(sorted(forms.items())),
        }
        return counts | ({"unanswered": unanswered} if unanswered else {})

    def reject(self, faults: Mapping[int, RowFault]) -> None:
        """Reject examples that were taken, each by its index, and put all rejects in the order of files and lines."""
        for index, fault in faults.items():
            self.rejects.append(rejected(self.places[index], fault))
        remaining = [index for index in range(len(self.examples)) if index not in faults]
        self.examples, self.places = [self.examples[i] for i in remaining], [self.places[i] for i in remaining]
        order = {name: number for number, name in enumerate(self.names)}
        self.rejects.sort(key=lambda reject: (order[reject.file], reject.line))

    def rejected_reasons(self) -> dict[str, int]:
        """How often each reason was given, the most frequent first; what differs between rows is left out."""
        counts = Counter(_reason(reject) for reject in self.rejects)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def check(
        self, max_rejected_share: float, setting: str = "data.max_rejected_share", remedy: str = "Mend the rows"
    ) -> None:
        """Refuse data of which nothing, or too little, could be taken; `setting` is what the share is called.

        Raises DataError naming the reasons, how often each was given, and the first row of each.
        """
        rows = len(self.examples) + len(self.rejects)
        share = len(self.rejects) / rows
        if not self.examples:
            none = "the only row could not" if rows == 1 else f"none of the {rows} rows could"
            raise DataError(f"{none} be taken:\n{self._told()}\n{remedy}.")
        if share > max_rejected_share:
            raise DataError(
                f"{len(self.rejects)} of {counted(rows, 'row')} ({share:.1%}) "
                f"were rejected, more than {setting} "
                f"{max_rejected_share} allows:\n{self._told()}\n{remedy}, or raise {setting}."
            )

    def _told(self) -> str:
        reasons = list(self.rejected_reasons().items())
        lines = []
        for reason, count in reasons[:REASONS_TOLD]:
            first = next(reject for reject in self.rejects if _reason(reject) == reason)
            lines.append(f"  {count} × {first.field} {first.reason} (first: {first.file}:{first.line})")
        left = len(reasons) - REASONS_TOLD
        return "\n".join(lines + [f"  and {counted(left, 'other reason')}"] * (left > 0))


RowReader = Callable[[Any], Example]
"""Reads one row. Raises RowFault."""


def read_files(paths: Mapping[str, Path], read: RowReader = read_example) -> Reading:
    """Read every row of every file; `paths` gives each file's name in reports.

    A row that repeats an earlier one of the same content is rejected, in whichever file that was.
    Raises DataError where a file as a whole cannot be read.
    """
    reading = Reading(names=list(paths))
    first_places: dict[bytes, str] = {}
    for name, path in paths.items():
        for row in read_source(path):
            place = Place(name, row.line)
            try:
                example = _taken(row, read)
                _check_new(_marks(example, row.value, name), f"{name}:{row.line}", first_places)
            except RowFault as fault:
                reading.rejects.append(rejected(place, fault))
                continue
            reading.examples.append(example)
            reading.places.append(place)
    return reading


def rejected(place: Place, fault: RowFault) -> Reject:
    """The row at a place, with its fault."""
    return Reject(file=place.file, line=place.line, field=fault.field, reason=fault.reason)


def _taken(row: SourceRow, read: RowReader) -> Example:
    if row.fault is not None:
        raise row.fault
    return read(row.value)


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
