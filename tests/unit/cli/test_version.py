import pytest

from stemma.cli import main


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    name, number = capsys.readouterr().out.split()
    assert (name, number.count(".")) == ("stemma", 2)
