"""What every command needs to put a page before a person."""

import argparse
import os
import sys
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 -- it has no public name
"""What `ArgumentParser.add_subparsers` returns."""


def print_page(text: str) -> int:
    """Print a page; a reader that closes the pipe early (`| head`) is no error."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # What is left in the buffer would be tried again at exit. The signal stays ignored: it would end servers too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
