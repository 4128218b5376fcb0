"""`stemma trace`: what made a model."""

import argparse
import json
from contextlib import closing
from pathlib import Path

from stemma.cli.page import Commands, print_page
from stemma.lineage.git import find_project


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    trace = commands.add_parser("trace", help="what made a model, back to the raw data")
    trace.add_argument("model", metavar="MODEL", help="policy@champion, policy/7, a run, an experiment or a DVC id")
    trace.add_argument("--json", action="store_true", help="as JSON")
    trace.set_defaults(command=_trace)


def _trace(options: argparse.Namespace) -> int:
    from flows.settings import ProjectSettings, stage_values
    from stemma.lineage.index import open_index
    from stemma.lineage.names import find_model
    from stemma.lineage.store import Store
    from stemma.lineage.trace import as_json, page, trace

    root = find_project(Path.cwd())
    with closing(open_index(root)) as index, Store(root) as store:
        told = trace(index, store, find_model(root, index, options.model), stage_values(ProjectSettings()))
    return print_page(json.dumps(as_json(told), indent=2) if options.json else page(told))
