"""Examples as a file that another tool loads, and what that tool's format has no place for."""

import gzip
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stemma.errors import DataError
from stemma.labelling.formats.left_out import is_said, left_out
from stemma.records.example import Example
from stemma.records.fault import RowFault
from stemma.records.forms.form import Form
from stemma.records.recognition import OTHERS, read_as
from stemma.stage.durable import write_whole


@dataclass
class Exported:
    """The rows of a format, and how often something of each kind is not in them."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def check_nothing_left_out(self, form: Form) -> None:
        """Raise DataError where the format could not hold everything."""
        if self.left_out:
            raise DataError(
                f"the format {form.name} has no place for {told(self.left_out)}; "
                "export without --strict to leave that out, or to another format"
            )


def told(left_out: Counter[str]) -> str:
    """What was left out, the most frequent first."""
    return ", ".join(f"{count} × {name}" for name, count in left_out.most_common())


def export(examples: Iterable[Example], form: Form) -> Exported:
    """Write every example as far as the form can hold it; a row that would say something else is not written."""
    done = Exported()
    for example in examples:
        rows: list[dict[str, Any]] = []
        kept: list[Example] = []
        for row in _written(example, form):
            back = _read_back(row, form)
            # Several annotators who agree are one row where the format names none of them.
            if back is not None and is_said(back, example) and row not in rows:
                rows.append(row)
                kept.append(back)
        done.rows += rows
        done.left_out += left_out(example, kept)
    return done


def write_export(path: Path, form: Form, rows: list[dict[str, Any]]) -> None:
    """Write the rows as one JSON array, or a row a line; the file is there whole or not at all.

    Raises DataError where there are no rows, or the file's name does not fit.
    """
    if not rows:
        raise DataError(f"nothing of it can be written in the format {form.name}; no file was made")
    endings = (".json", ".json.gz") if form.array else (".jsonl", ".jsonl.gz")
    if not path.name.endswith(endings):
        raise DataError(f"{path}: a file of the format {form.name} has a name that ends in {' or '.join(endings)}")
    lines = [json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows]
    text = "[\n" + ",\n".join(lines) + "\n]\n" if form.array else "".join(f"{line}\n" for line in lines)
    content = text.encode()
    write_whole(path, gzip.compress(content, mtime=0) if path.name.endswith(".gz") else content)


def _written(example: Example, form: Form) -> list[dict[str, Any]]:
    others = (example.origin or {}).get(OTHERS) if example.form == form.name else None
    try:
        return [{**row, **(others if isinstance(others, dict) else {})} for row in form.write(example)]
    except RowFault:
        # What another format keeps under the same name is not what this one means by it.
        return []


def _read_back(row: dict[str, Any], form: Form) -> Example | None:
    try:
        return read_as(form, row)
    except RowFault:
        return None
