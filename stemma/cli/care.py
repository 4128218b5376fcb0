"""`stemma gc | pin | unpin`: make room, and keep what must be kept."""

import argparse
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from stemma.cli.page import Commands, print_page
from stemma.lineage.git import find_project


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    gc = commands.add_parser(
        "gc",
        help="remove the bytes that nobody needs; shows them only, unless told to --apply",
        description="Keeps the families of aliases (and where they pointed within the retention), pins, branches, "
        "tags, runs in progress and runs within the retention; removes all other bytes. The runs stay on record.",
    )
    gc.add_argument("--apply", action="store_true", help="remove them")
    gc.add_argument("--remote", action="store_true", help="from the default DVC remote as well")
    gc.add_argument("--retention", type=float, default=30, metavar="DAYS", help="how long things stay unasked (30)")
    gc.set_defaults(command=_gc)

    for name, words in (("pin", "keep a model's family from `stemma gc`"), ("unpin", "take a pin away")):
        pin = commands.add_parser(name, help=words)
        pin.add_argument("model", metavar="MODEL", help="policy@champion, policy/7, a run, an experiment or a DVC id")
        pin.add_argument("--reason", required=True)
        pin.set_defaults(command=_pin, unpin=name == "unpin")


def _gc(options: argparse.Namespace) -> int:
    from stemma.audit.gc import carry_out, page, plan_gc
    from stemma.lineage.family import size_text
    from stemma.lineage.index import open_index
    from stemma.lineage.store import Store

    root = find_project(Path.cwd())
    retention = timedelta(days=options.retention)
    with closing(open_index(root)) as index, Store(root) as store:
        plan = plan_gc(root, index, store, remote=options.remote, retention=retention)
        print(page(plan), flush=True)
        if not options.apply:
            return print_page("\nNothing was changed; --apply removes it.")
        return print_page(f"\nRemoved: {size_text(carry_out(plan, store))}.")


def _pin(options: argparse.Namespace) -> int:
    from stemma.lineage.index import open_index
    from stemma.lineage.names import find_model
    from stemma.lineage.pins import Pins

    root = find_project(Path.cwd())
    with closing(open_index(root)) as index:
        model = find_model(root, index, options.model)
    pins = Pins(root)
    (pins.unpin if options.unpin else pins.pin)(model, options.reason)
    return print_page(f"{model.title} is {'no longer pinned' if options.unpin else 'pinned'}.")
