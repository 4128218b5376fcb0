"""The `stemma` command: each module of this folder adds the commands of one concern."""

import argparse
import sys
from collections.abc import Sequence

from stemma.cli import care, champion, chat, data, export, family, judge, label, reconcile, rounds, runs, stack, verify
from stemma.cli.version import ShowVersion
from stemma.errors import StemmaError

FAULT_STATUS = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    0 where all is well; 1 where a check found something; 2 where something was told to the person as an error;
    3 where a run waits for people.
    """
    options = _parser().parse_args(arguments)
    try:
        status: int = options.command(options)
    except StemmaError as error:
        print(f"stemma: {error}", file=sys.stderr)
        return FAULT_STATUS
    except KeyboardInterrupt:
        print("stemma: stopped; the same command goes on where this one was", file=sys.stderr)
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stemma", description="Align language models, with their family tree on record."
    )
    parser.add_argument("--version", action=ShowVersion)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (runs, rounds, chat, family, champion, care, reconcile, export, verify, judge, label, data, stack):
        module.add_commands(commands)
    return parser
