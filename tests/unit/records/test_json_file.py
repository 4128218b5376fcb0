from pathlib import Path

import pytest

from stemma.errors import DataError
from stemma.records.json_file import read_json, write_json


def test_equal_values_give_equal_bytes(tmp_path: Path) -> None:
    write_json(tmp_path / "one.json", {"b": 1, "a": None})
    write_json(tmp_path / "other.json", {"a": None, "b": 1})
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "other.json").read_bytes()
    assert read_json(tmp_path / "one.json") == {"a": None, "b": 1}


def test_an_unreadable_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"report\.json does not exist; run the stage"):
        read_json(tmp_path / "report.json")
    (tmp_path / "report.json").write_text("{")
    with pytest.raises(DataError, match=r"report\.json is not JSON"):
        read_json(tmp_path / "report.json")
