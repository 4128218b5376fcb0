"""`stemma reconcile`: MLflow brought in step with Git and DVC."""

import argparse
from pathlib import Path

from stemma.cli.page import Commands, print_page
from stemma.lineage.git import find_project

FOUND_STATUS = 1


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    reconcile = commands.add_parser(
        "reconcile",
        help="rebuild or repair what MLflow shows, from Git and DVC",
        description="Rebuild or repair what MLflow shows, from Git and DVC; tell what MLflow says that they do not.",
    )
    reconcile.add_argument(
        "--drop-unknown",
        action="store_true",
        help="remove the versions of our registered models that Git does not have",
    )
    reconcile.set_defaults(command=_reconcile)


def _reconcile(options: argparse.Namespace) -> int:
    from flows.settings import ProjectSettings, stage_values
    from stemma.view.reconcile import reconcile

    root = find_project(Path.cwd())
    defaults = stage_values(ProjectSettings())
    report = reconcile(root, defaults, options.drop_unknown, say=lambda words: print_page(f"mended: {words}"))
    for words in report.notes:
        print_page(f"not brought back: {words}")
    for words in report.unmended:
        print_page(f"left: {words}")
    if report.unmended:
        return FOUND_STATUS
    return print_page("MLflow says what Git and DVC say" + (f"; {len(report.mended)} mended" if report.mended else ""))
