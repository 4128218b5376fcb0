"""`stemma verify`: whether a model and all that it was made from are what the record says."""

import argparse
import json
import sys
from contextlib import closing
from pathlib import Path

from stemma.cli.page import Commands, print_page
from stemma.lineage.git import find_project

FOUND = 1
"""Exit status where something is wrong."""


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    verify = commands.add_parser(
        "verify",
        help="re-hash a model's whole family and check its records",
        description="Re-hash every byte of a model's family and check commits, locks, settings, registry and views "
        "against each other. Exits with 1 where something is wrong.",
    )
    verify.add_argument("model", metavar="MODEL", help="policy@champion, policy/7, a run, an experiment or a DVC id")
    verify.add_argument("--remote", action="store_true", help="also hash what the DVC and Git remotes really hold")
    verify.add_argument("--repair", action="store_true", help="replace damaged and missing objects by good copies")
    verify.add_argument("--json", action="store_true", help="as JSON")
    verify.set_defaults(command=_verify)


def _verify(options: argparse.Namespace) -> int:
    from flows.settings import ProjectSettings, stage_values
    from stemma.lineage.index import open_index
    from stemma.lineage.names import find_model
    from stemma.lineage.store import Store
    from stemma.verification.repair import Repair, mend
    from stemma.verification.subject import Subject
    from stemma.verification.verify import verify
    from stemma.verification.verify_page import as_json, page, repairs_page
    from stemma.view.reconcile import reconcile

    root = find_project(Path.cwd())
    repairs: list[Repair] = []
    with closing(open_index(root)) as index, Store(root) as store:
        model = find_model(root, index, options.model)
        verdict = verify(Subject(root, index, store, model, _say), options.remote)
        if options.repair:
            verdict, repairs = mend(verdict, lambda: reconcile(root, stage_values(ProjectSettings()), say=_say))
    if options.json:
        print_page(json.dumps(as_json(verdict, repairs), indent=2))
    else:
        print_page("\n".join([*([repairs_page(repairs), ""] if repairs else []), page(verdict)]))
    return FOUND if verdict.faults else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr)
