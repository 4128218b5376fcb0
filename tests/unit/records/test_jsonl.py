from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stemma.errors import DataError
from stemma.records.jsonl import read_rows, write_rows
from stemma.records.types import Comparison, Document, Message, Prompt, Reject

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(st.lists(st.builds(Reject, file=TEXTS, line=st.integers(1), field=TEXTS, reason=TEXTS)))
def test_rows_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, rows: list[Reject]) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    write_rows(path, rows)
    assert read_rows(path, Reject) == rows


def test_fields_that_are_none_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write_rows(path, [Document(text="é\u2028")])
    assert path.read_bytes() == '{"text":"é\u2028"}\n'.encode()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"id":"b","messages":[{"role":"user","content":"hi"}],"split":"dev"}', r"rows\.jsonl:2: split: .*Prompt row"),
        (
            '{"id":"b","messages":[{"role":"user","content":""}],"split":"test"}',
            r"2: messages\.0\.content: ",
        ),
        ('{"id":"b","messages":[{"role":"assistant","content":"hi"}],"split":"test"}', r"2: the row: .*the user's"),
        ('{"id":"b"', r"rows\.jsonl:2: the row: Invalid JSON"),
        ("", r"rows\.jsonl:2: the row: Invalid JSON"),
    ],
)
def test_a_bad_row_is_told_by_file_line_and_field(tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "rows.jsonl"
    write_rows(path, [Prompt(id="a", messages=(Message(role="user", content="hi"),), split="train")])
    with path.open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")
    with pytest.raises(DataError, match=told):
        read_rows(path, Prompt)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.jsonl does not exist; run the stage"):
        read_rows(tmp_path / "absent.jsonl", Comparison)


def test_a_file_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b'{"text":"\xff"}\n')
    with pytest.raises(DataError, match=r"rows\.jsonl is not UTF-8"):
        read_rows(tmp_path / "rows.jsonl", Document)
