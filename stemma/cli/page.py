"""What every command needs to put a page before a person."""

import argparse
import signal
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 -- it has no public name
"""What `ArgumentParser.add_subparsers` returns."""


def print_page(text: str) -> int:
    """Print a page; a reader that closes the pipe early (`| head`) is no error."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    print(text)
    return 0
