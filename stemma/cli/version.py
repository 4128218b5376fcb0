"""`stemma --version`."""

import argparse
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


class ShowVersion(argparse.Action):
    """Prints the version and ends the program; it is looked up only where it is asked for."""

    def __init__(self, option_strings: list[str], dest: str, **_: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print it."""
        print(f"stemma {_version()}")
        parser.exit()


def _version() -> str:
    """Of the installed package, or where a clone is used without being installed, of the clone."""
    try:
        return version("stemma")
    except PackageNotFoundError:
        project: dict[str, str] = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
        return project["version"]
