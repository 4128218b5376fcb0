"""`stemma rounds`: the rounds of retraining, and what became of each."""

import argparse
import json
from contextlib import closing
from pathlib import Path

from stemma.cli.page import Commands, print_page
from stemma.lineage.git import find_project


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    rounds = commands.add_parser("rounds", help="the rounds of retraining: parent, labels used, metrics, verdict")
    rounds.add_argument("--json", action="store_true", help="as JSON")
    rounds.set_defaults(command=_rounds)


def _rounds(options: argparse.Namespace) -> int:
    from flows.settings import registered_model
    from stemma.lineage.index import open_index
    from stemma.lineage.rounds import as_json, page, rounds_of

    root = find_project(Path.cwd())
    with closing(open_index(root)) as index:
        told = rounds_of(root, index, registered_model(root))
    return print_page(json.dumps(as_json(told), indent=2) if options.json else page(told))
