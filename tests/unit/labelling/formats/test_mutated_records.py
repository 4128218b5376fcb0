"""Ten thousand mutated records: no importer crashes, every rejection says why, and what is taken is taken whole."""

import os
import random
from collections import Counter
from pathlib import Path

import pytest

from stemma.errors import DataError
from stemma.labelling.formats.exporting import export
from stemma.labelling.formats.importing import row_reader, write_labels
from stemma.records.example import Example
from stemma.records.reading import Reading, RowReader, read_files
from stemma.records.recognition import FORMS, OTHERS
from tests.unit.labelling.formats.mutations import mutated_file, mutated_line
from tests.unit.labelling.formats.samples import SAMPLES

RECORDS = 10_000
A_FILE = 40
SEED = int(os.environ.get("STEMMA_MUTATION_SEED", "0"))


def read_or_be_told(file: Path, how: RowReader) -> Reading | None:
    try:
        return read_files({file.name: file}, read=how)
    except DataError as error:
        told = str(error)
    assert str(file) in told
    return None


def check(reading: Reading, file: Path) -> None:
    for reject in reading.rejects:
        assert reject.file == file.name
        assert reject.line >= 1
        assert reject.field
        assert len(reject.reason) > 5
        assert len(reject.reason) < 1500
    told = reading.files[file.name]
    assert told["rows"] == len(reading.examples) + len(reading.rejects)


def check_taken_whole(example: Example) -> None:
    form = FORMS[example.form]
    exported = export([example], form)
    back = [row_reader(form.name)(row) for row in exported.rows]
    assert [again.model_copy(update={"form": form.name}) for again in back] == [example]
    assert not exported.left_out


def test_no_importer_crashes_and_every_rejection_says_why(tmp_path: Path) -> None:
    chance = random.Random(SEED)  # noqa: S311 -- what it makes is to come again, not to be secret
    outcomes: Counter[str] = Counter()
    for number in range(RECORDS // A_FILE):
        name, content = mutated_file(chance, [mutated_line(chance) for _ in range(A_FILE)])
        file = tmp_path / name
        file.write_bytes(content)
        how = row_reader(chance.choice(list(FORMS))) if chance.random() < 0.2 else row_reader(None)
        reading = read_or_be_told(file, how)
        if reading is None:
            outcomes["files refused"] += 1
            continue
        check(reading, file)
        outcomes["rejected"] += len(reading.rejects)
        outcomes["taken"] += len(reading.examples)
        for example in reading.examples:
            check_taken_whole(example)
        folder = tmp_path / f"labels-{number}"
        folder.mkdir()
        write_labels(folder, reading, {"judge": 0.2, "validation": 0.1, "test": 0.1})
        assert (folder / "rejects.jsonl").read_text().count("\n") == len(reading.rejects)
    assert outcomes["taken"] > RECORDS // 20
    assert outcomes["rejected"] > RECORDS // 2
    assert outcomes["files refused"] > 10


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_are_taken_unharmed(name: str) -> None:
    for row in SAMPLES[name]:
        example = row_reader(None)(row)
        assert example.form == name
        assert OTHERS not in (example.origin or {})
        check_taken_whole(example)
