"""The label store that a command works on."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from stemma.lineage.git import find_project

if TYPE_CHECKING:
    from stemma.labelling.store.store import LabelStore


def add_store_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that says which store."""
    parser.add_argument("--store", metavar="URL", help="sqlite:///FILE or postgresql+psycopg://…; labels.db by itself")


def is_there(options: argparse.Namespace) -> bool:
    """Whether there is a store to open; opening makes one where there is none."""
    from stemma.labelling.store.database import STORE_VARIABLE

    if options.store or os.environ.get(STORE_VARIABLE):
        return True
    return (find_project(Path.cwd()) / "labels.db").is_file()


@contextmanager
def label_store(options: argparse.Namespace) -> "Iterator[LabelStore]":
    """Open the store that the options name, or else the project's."""
    from stemma.labelling.store.database import store_url
    from stemma.labelling.store.store import open_store

    store = open_store(options.store or store_url(find_project(Path.cwd())))
    try:
        yield store
    finally:
        store.close_connections()
