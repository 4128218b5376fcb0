"""`stemma label …`: the page on which people label, and the batches, people and verdicts behind it."""

import argparse
import getpass
from pathlib import Path
from typing import TYPE_CHECKING

from stemma.cli import label_files
from stemma.cli.label_store import add_store_option, label_store
from stemma.cli.page import Commands, print_page
from stemma.lineage.git import find_project

if TYPE_CHECKING:
    from stemma.labelling.store.batch import Batch, Progress

HOST, PORT = "127.0.0.1", 8377


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    label = commands.add_parser("label", help="people's labels: the page, its batches and its people")
    kinds = label.add_subparsers(required=True, metavar="COMMAND")

    serve = _command(kinds, "serve", _serve, "serve the page on which people label")
    serve.add_argument("--host", default=HOST, help=f"address to listen on; {HOST} unless you say otherwise")
    serve.add_argument("--port", type=int, default=PORT, help=f"{PORT} unless you say otherwise")

    _command(kinds, "batches", _batches, "every batch: how far it is, or how it ended")

    for name, run, words in (
        ("invite", _invite, "make a personal link for an annotator, and print it once"),
        ("admin", _admin, "make a personal link for an admin, and print it once"),
    ):
        invite = _command(kinds, name, run, words)
        invite.add_argument("name", metavar="NAME", help="who; it stands beside every verdict")
        invite.add_argument("--site", default=f"http://{HOST}:{PORT}", help="address at which they reach the page")

    revoke = _command(kinds, "revoke", _revoke, "let a personal link sign nobody in any more; verdicts stay")
    revoke.add_argument("name", metavar="NAME")

    close = _command(kinds, "close", _close, "close a batch, so that the run that waits for it goes on")
    close.add_argument("batch", metavar="BATCH")
    close.add_argument("--reason", required=True, help="why; others will read it")
    close.add_argument("--partial", action="store_true", help="though opinions are missing")

    withdraw = _command(kinds, "withdraw-annotator", _withdraw, "let nothing count that an annotator said")
    withdraw.add_argument("name", metavar="NAME")
    withdraw.add_argument("--reason", required=True, help="why; others will read it")

    label_files.add_commands(kinds)


def _command(kinds: Commands, name: str, run: object, words: str) -> argparse.ArgumentParser:
    parser = kinds.add_parser(name, help=words)
    add_store_option(parser)
    parser.set_defaults(command=run)
    return parser


def _serve(options: argparse.Namespace) -> int:
    from flows.people.label_events import announce
    from stemma.labelling.web.serve import serve

    root = find_project(Path.cwd())
    with label_store(options) as store:
        print_page(f"The label page is at http://{options.host}:{options.port}; stop it with Ctrl-C.")
        serve(store, options.host, options.port, lambda ended: announce(root, ended))
    return 0


def _batches(options: argparse.Namespace) -> int:
    with label_store(options) as store:
        lines = [_line(batch, store.progress(batch.id)) for batch in store.batches()]
    return print_page("\n".join(lines) or "There is no batch yet; a run with label.source=human makes one.")


def _invite(options: argparse.Namespace) -> int:
    with label_store(options) as store:
        token = store.people.invite(options.name, who=getpass.getuser())
    return _print_link(options, token)


def _admin(options: argparse.Namespace) -> int:
    with label_store(options) as store:
        token = store.people.invite(options.name, "admin", who=getpass.getuser())
    return _print_link(options, token)


def _revoke(options: argparse.Namespace) -> int:
    with label_store(options) as store:
        store.people.revoke(options.name, getpass.getuser())
    return print_page(f"{options.name}'s link no longer signs anybody in.")


def _close(options: argparse.Namespace) -> int:
    with label_store(options) as store:
        store.close(options.batch, getpass.getuser(), options.reason, partial=options.partial)
    return print_page(f"Batch {options.batch} is closed.")


def _withdraw(options: argparse.Namespace) -> int:
    with label_store(options) as store:
        store.people.withdraw(options.name, getpass.getuser(), options.reason)
    return print_page(f"Nothing counts any more that {options.name} said; others are asked in open batches.")


def _print_link(options: argparse.Namespace, token: str) -> int:
    print_page(f"{options.site.rstrip('/')}/sign-in/{token}")
    return print_page(f"It signs {options.name} in, and is not shown again; an earlier one no longer works.")


def _line(batch: "Batch", progress: "Progress") -> str:
    ended = f" by {batch.closed_by}: {batch.closed_reason}" if batch.closed else ""
    return f"{batch.id}  {batch.state}{ended}  {progress.given} of {progress.wanted} opinions"
