import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemma.errors import DataError
from stemma.records.source_file import read_source

ROWS: list[dict[str, Any]] = [{"text": "one"}, {"text": "two\u2028lines"}]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)


def read(tmp_path: Path, name: str, content: bytes) -> list[tuple[int, Any]]:
    (tmp_path / name).write_bytes(content)
    return [(row.line, row.value) for row in read_source(tmp_path / name)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.jsonl", LINES.encode()),
        ("rows.jsonl", LINES.rstrip("\n").encode()),
        ("rows.jsonl", LINES.replace("\n", "\r\n").encode()),
        ("rows.jsonl", b"\xef\xbb\xbf" + LINES.encode()),
        ("rows.json", LINES.encode()),
        ("rows.jsonl.gz", gzip.compress(LINES.encode(), mtime=0)),
        ("rows.json", json.dumps(ROWS).replace("}, {", "},\n{").encode()),
        ("rows.json.gz", gzip.compress(json.dumps(ROWS).replace("}, {", "},\r\n {").encode(), mtime=0)),
    ],
)
def test_every_kind_of_file_gives_the_same_rows(tmp_path: Path, name: str, content: bytes) -> None:
    assert read(tmp_path, name, content) == [(1, ROWS[0]), (2, ROWS[1])]


def test_empty_lines_are_passed_over_and_counted(tmp_path: Path) -> None:
    assert read(tmp_path, "rows.jsonl", b'\n{"a": 1}\n \r\n{"a": 2}\n') == [(2, {"a": 1}), (4, {"a": 2})]


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.text())), min_size=1))
def test_an_array_gives_its_rows_and_their_lines(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    text = "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"
    found = read(tmp_path_factory.mktemp("array"), "rows.json", text.encode())
    assert found == [(line, row) for line, row in enumerate(rows, start=2)]


def test_one_object_may_stand_over_several_lines(tmp_path: Path) -> None:
    assert read(tmp_path, "rows.json", b"\n" + json.dumps(ROWS[0], indent=2).encode()) == [(2, ROWS[0])]


def test_a_damaged_first_line_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text('{"text": \n\n{"text": "two"}\n')
    one, two = read_source(tmp_path / "rows.json")
    assert (one.line, one.fault is None, two.line, two.value) == (1, False, 3, {"text": "two"})


def test_lines_are_read_one_by_one(tmp_path: Path) -> None:
    damaged = gzip.compress(b'{"text": "one"}\n' + b'{"text": "two"}\n' * 100_000, mtime=0)[:-9]
    (tmp_path / "rows.jsonl.gz").write_bytes(damaged)
    rows = read_source(tmp_path / "rows.jsonl.gz")
    assert next(rows).value == {"text": "one"}
    with pytest.raises(DataError, match="not a whole gzip file"):
        list(rows)


def test_a_line_that_is_not_json_is_a_fault_of_that_line(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "one"}\n{"text": \n' + "[" * 100_000 + "\n")
    one, two, three = read_source(tmp_path / "rows.jsonl")
    assert (one.line, one.fault) == (1, None)
    assert (two.line, str(two.fault)) == (2, "(line): is not JSON: Expecting value")
    assert (three.line, str(three.fault)) == (3, "(line): is not JSON: nested too deeply")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("rows.parquet", b"PAR1", r"rows\.parquet is not of a type that is read; convert it to \.jsonl, \.json, "),
        ("rows.jsonl", b"version https://git-lfs.github.com/spec/v1\noid", r"a Git LFS pointer.*`git lfs pull`"),
        ("rows.jsonl.gz", b"version https://git-lfs.github.com/spec/v1\noid", r"a Git LFS pointer"),
        ("rows.jsonl.gz", b'{"text": "one"}', r"not a whole gzip file \(Not a gzipped file"),
        ("rows.jsonl.gz", gzip.compress(LINES.encode(), mtime=0)[:-9], r"not a whole gzip file .*fetch it again"),
        ("rows.jsonl", gzip.compress(LINES.encode(), mtime=0), r"is gzipped; give it a name that ends in \.gz"),
        ("rows.jsonl", b'{"a": 1}\n{"a": "\xe9"}\n', r"rows\.jsonl:2 is not UTF-8"),
        ("rows.jsonl", b"", r"rows\.jsonl is empty; give it rows"),
        ("rows.jsonl", b"\xef\xbb\xbf\n \r\n", r"rows\.jsonl is empty"),
        ("rows.json", b" []", r"an empty array; give it rows"),
        ("rows.json", b"[{},\n{},]", r"rows\.json:2 is not JSON: Expecting value; an array must be whole"),
        ("rows.json", b"[{}\n{}]", r"rows\.json:1 is not JSON: no comma or \]"),
        ("rows.json", b"[{}", r"rows\.json:1 is not JSON: no comma or \]"),
        ("rows.json", b"[{}]\n[{}]", r"something follows the end of the array"),
        ("rows.json", b"[" * 100_000, r"rows\.json:1 is not JSON: nested too deeply"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str, content: bytes, told: str) -> None:
    with pytest.raises(DataError, match=told):
        read(tmp_path, name, content)


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.jsonl does not exist; put it there, or correct its name"):
        list(read_source(tmp_path / "absent.jsonl"))
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(DataError, match="is a folder; name the files in it"):
        list(read_source(tmp_path / "folder.json"))
