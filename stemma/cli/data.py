"""`stemma data check`: what a run would take of your files, and what it would reject."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from stemma.cli.page import Commands, print_page
from stemma.errors import ServiceError, StemmaError
from stemma.lineage.git import find_project

if TYPE_CHECKING:
    from flows.settings import ProjectSettings
    from tasks.data import OwnData

REFUSED_STATUS = 1


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    data = commands.add_parser("data", help="your own data").add_subparsers(required=True, metavar="COMMAND")
    check = data.add_parser(
        "check",
        help="what a run would take of files, and every row that it would reject; nothing is trained",
        description="Exit status 0 if a run would take the files, 1 if it would be refused.",
    )
    check.add_argument("files", nargs="+", type=Path, metavar="FILE")
    check.add_argument("--profile", default="own-data", metavar="NAME", help="the run's profile; own-data by default")
    check.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change one setting")
    check.set_defaults(command=_check)


def _check(options: argparse.Namespace) -> int:
    from flows.own_data import check_data_suits, report_of
    from flows.settings import load_settings
    from tasks.data import read_own_data

    settings = load_settings(find_project(Path.cwd()), options.profile, options.set)
    own = read_own_data({str(file): file for file in options.files}, settings.data)
    unmeasured: list[str] = []
    try:
        own, unmeasured = _fit(own, settings)
        own.check(settings.data)
        check_data_suits(settings, report_of(own))
        status, verdict = 0, "A run with these settings would take this data."
    except StemmaError as error:
        status, verdict = REFUSED_STATUS, f"A run would be refused: {error}"
    print_page("\n".join([*_page(own), *unmeasured, verdict]))
    return status


def _fit(own: "OwnData", settings: "ProjectSettings") -> tuple["OwnData", list[str]]:
    """The data as the base model can read it; as it is, with a line that says so, if the Hub cannot be reached."""
    from tasks.data import fit_own_data

    try:
        return fit_own_data(own, settings.data, settings.base), []
    except ServiceError as error:
        return own, [f"Lengths were not checked: {error}"]


def _page(own: "OwnData") -> list[str]:
    counts = own.dataset.counts()
    return [
        *(f"{name}: {_counted(counts)}" for name, counts in own.reading.files.items()),
        *(f"  {row.file}:{row.line}  {row.field}  {row.reason}" for row in own.reading.rejects),
        *_lengths(own),
        f"Answers to imitate: {counts['demonstrations']}, with {counts['assistant_turns']} assistant turns.",
        f"Prompts by split: {_by_split(counts['prompts'])}.",
        f"Pairs by split: {_by_split(counts['comparisons'])}.",
    ]


def _lengths(own: "OwnData") -> list[str]:
    if own.limits is None or not own.tokens["rows"]:
        return []
    median, longest = own.tokens["median"], own.tokens["longest"]
    return [f"Tokens of a row: median {median:g}, longest {longest:g}; the limit is {own.limits.limit}."]


def _counted(counts: dict[str, object]) -> str:
    forms = counts["taken"]
    by_form = (
        ", ".join(f"{count} {form}" for form, count in forms.items()) if isinstance(forms, dict) and forms else "none"
    )
    return f"rows {counts['rows']}, taken: {by_form}, rejected: {counts['rejected']}"


def _by_split(counts: object) -> str:
    return ", ".join(f"{split} {n}" for split, n in counts.items()) if isinstance(counts, dict) and counts else "none"
