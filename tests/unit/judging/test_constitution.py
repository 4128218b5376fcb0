from pathlib import Path

import pytest

from stemma.errors import SettingsError
from stemma.judging.constitution import FOLDER, read_constitution

ROOT = Path(__file__).parents[3]
PLAIN = """
name: plain
version: 1
principles: [be right, be kind]
compare:
  user: "{conversation} {first} {second}"
"""


def faults(folder: Path, text: str) -> str:
    (folder / "plain.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as fault:
        read_constitution(folder, "plain")
    return str(fault.value)


def test_the_constitution_that_comes_along_has_every_prompt() -> None:
    constitution, sha256 = read_constitution(ROOT / FOLDER, "helpful-honest-harmless")
    assert constitution.critique is not None
    assert constitution.revise is not None
    assert constitution.compare.briefly
    assert constitution.compare.with_reasons
    assert len(sha256) == 64


@pytest.mark.parametrize(
    ("found", "instead", "words"),
    [
        ("{first}", "{frist}", "unknown placeholder {frist}; known here: conversation, first, mark"),
        (" {second}", "", "it lacks the placeholder {second}"),
        ("be right, ", "", ""),
        ("compare:", "turn: '{role}'\ncompare:", "turn: it lacks the placeholder {content}"),
        ("compare:", "compare:\n  system: '{first}'", "compare.system: unknown placeholder {first}"),
        ("compare:", "compare:\n  verdicts: ['1', ' 1']", "verdicts must be two different tokens"),
        ("version: 1", "version: 0", "version: should be greater than or equal to 1"),
        ("name: plain", "name: other", "calls itself 'other'; name the file and the constitution alike"),
        ("principles", "princples", "princples: unknown key; did you mean principles?"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, found: str, instead: str, words: str) -> None:
    if words:
        assert words in faults(tmp_path, PLAIN.replace(found, instead))
    else:
        (tmp_path / "plain.yaml").write_text(PLAIN.replace(found, instead), encoding="utf-8")
        assert read_constitution(tmp_path, "plain")[0].principles == ("be kind",)


def test_braces_that_are_no_placeholder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "plain.yaml").write_text(PLAIN.replace("{first}", '{first} {"json": {}} {First} {1}'.replace('"', "'")))
    assert "{'json': {}} {First} {1}" in read_constitution(tmp_path, "plain")[0].compare.user


def test_a_name_that_is_not_there_tells_what_is(tmp_path: Path) -> None:
    (tmp_path / "plain.yaml").write_text(PLAIN)
    with pytest.raises(SettingsError, match=r"there is no constitution 'fancy' in .*; there are: plain"):
        read_constitution(tmp_path, "fancy")
