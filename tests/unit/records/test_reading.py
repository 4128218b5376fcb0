import json
from pathlib import Path
from typing import Any

import pytest

from stemma.errors import DataError
from stemma.records.fault import RowFault
from stemma.records.reading import read_files
from stemma.records.types import Reject


def write(folder: Path, name: str, rows: list[Any]) -> dict[str, Path]:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {name: folder / name}


read = read_files


def test_rejected_rows_are_kept_with_their_place(tmp_path: Path) -> None:
    reading = read(write(tmp_path, "rows.jsonl", [{"prompt": "hi"}, {"prompt": ""}]))
    assert reading.rejects == [Reject(file="rows.jsonl", line=2, field="prompt", reason="is empty")]
    assert reading.files == {"rows.jsonl": {"rows": 2, "rejected": 1, "taken": {"prompt": 1}}}


def test_a_row_that_was_taken_can_be_rejected_later(tmp_path: Path) -> None:
    one = write(tmp_path, "one.jsonl", [{"prompt": "a"}, {"prompt": ""}, {"prompt": "b"}])
    reading = read(one | write(tmp_path, "other.jsonl", [{"prompt": "c"}, {"prompt": "d"}]))
    reading.reject({0: RowFault("prompt", "is too long"), 2: RowFault("prompt", "is too long")})
    assert [(r.file, r.line, r.reason) for r in reading.rejects] == [
        ("one.jsonl", 1, "is too long"),
        ("one.jsonl", 2, "is empty"),
        ("other.jsonl", 1, "is too long"),
    ]
    assert reading.places == [("one.jsonl", 3), ("other.jsonl", 2)]
    assert reading.files["one.jsonl"] == {"rows": 3, "rejected": 2, "taken": {"prompt": 1}}


def test_a_line_that_is_not_json_is_rejected_alone(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"prompt": "hi"}\n{"prompt"\n')
    reading = read({"rows.jsonl": tmp_path / "rows.jsonl"})
    assert len(reading.examples) == 1
    assert [(reject.line, reject.field) for reject in reading.rejects] == [(2, "(line)")]


def test_a_row_repeated_in_any_file_is_rejected_once_each(tmp_path: Path) -> None:
    one = write(tmp_path, "one.jsonl", [{"prompt": "hi"}, {"prompt": " hi "}, {"prompt": "hi", "completion": "a"}])
    other = write(tmp_path, "other.jsonl", [{"prompt": "hi"}, {"prompt": "hi", "completion": "b"}])
    reading = read(one | other)
    assert [(r.file, r.line, r.reason) for r in reading.rejects] == [
        ("one.jsonl", 2, "repeats an earlier row: one.jsonl:1"),
        ("other.jsonl", 1, "repeats an earlier row: one.jsonl:1"),
    ]
    assert reading.rejected_reasons() == {"repeats an earlier row": 2}


def test_data_of_which_nothing_is_taken_stops_the_run(tmp_path: Path) -> None:
    reading = read(write(tmp_path, "rows.jsonl", [{"a": 1}, {"prompt": ""}, {"prompt": ""}]))
    with pytest.raises(
        DataError, match=r"none of the 3 rows could be taken:\n  2 × prompt is empty \(first: rows.jsonl:2\)"
    ):
        reading.check(max_rejected_share=1.0)


def test_more_rejects_than_allowed_stop_the_run(tmp_path: Path) -> None:
    reading = read(write(tmp_path, "rows.jsonl", [{"prompt": f"q {number}"} for number in range(9)] + [{"prompt": ""}]))
    reading.check(max_rejected_share=0.1)
    with pytest.raises(
        DataError, match=r"1 of 10 rows \(10.0%\) were rejected, more than data.max_rejected_share 0.09"
    ):
        reading.check(max_rejected_share=0.09)


def test_only_the_most_frequent_reasons_are_told(tmp_path: Path) -> None:
    faulty: list[Any] = [5, {"text": ""}, {"text": 1}, {"prompt": []}, {"messages": "a"}, {"messages": [{}]}, 6]
    reading = read(write(tmp_path, "rows.jsonl", faulty))
    with pytest.raises(DataError, match=r"(?s)2 × \(row\) is not an object.*\n  and 1 other reason\n"):
        reading.check(max_rejected_share=1.0)
