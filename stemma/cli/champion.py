"""`stemma promote | rollback | history`: which version serves, and why."""

import argparse
import json
from pathlib import Path

from stemma.cli.page import Commands, print_page
from stemma.lineage.git import find_project
from stemma.lineage.registry import CHAMPION


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    promote = commands.add_parser("promote", help="let an alias point to a version, if its evidence passes the gates")
    promote.add_argument("model", metavar="MODEL", help="policy/7, or the run that made it; any registered model")
    promote.add_argument("--to", default=CHAMPION, metavar="ALIAS", help="champion, unless you say otherwise")
    promote.add_argument("--reason", required=True, help="why; others will read it")
    promote.add_argument("--force", action="store_true", help="pass failed gates by, on record")
    promote.set_defaults(command=_promote)

    rollback = commands.add_parser("rollback", help="put an earlier version back as champion")
    rollback.add_argument(
        "--to",
        metavar="VERSION",
        help="policy/6, of any registered model; without it, the previous champion of registry.model",
    )
    rollback.add_argument("--reason", required=True, help="why; others will read it")
    rollback.set_defaults(command=_rollback)

    history = commands.add_parser("history", help="every move of an alias: when, who, why, on what evidence")
    history.add_argument("alias", metavar="ALIAS", help="champion, or policy@champion where there are several models")
    history.add_argument("--json", action="store_true", help="as JSON")
    history.set_defaults(command=_history)


def _promote(options: argparse.Namespace) -> int:
    from flows.acts import promote_model

    return print_page(promote_model(find_project(Path.cwd()), options.model, options.to, options.reason, options.force))


def _rollback(options: argparse.Namespace) -> int:
    from flows.acts import roll_back_model

    return print_page(roll_back_model(find_project(Path.cwd()), options.to, options.reason))


def _history(options: argparse.Namespace) -> int:
    from flows.settings import registered_model
    from stemma.lineage.history import moves_json, moves_of, moves_page

    root = find_project(Path.cwd())
    model, at, alias = options.alias.rpartition("@")
    moves = moves_of(root, model if at else registered_model(root), alias)
    if options.json:
        return print_page(json.dumps(moves_json(moves), indent=2))
    return print_page(moves_page(moves))
