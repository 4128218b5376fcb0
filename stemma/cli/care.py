"""`stemma gc | pin | unpin | forget | reproduce`: the care of what is on record."""

import argparse
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from stemma.cli.page import Commands, print_page
from stemma.errors import SettingsError
from stemma.lineage.git import find_project

if TYPE_CHECKING:
    from stemma.forgetting.wanted import Wanted

MODEL = "policy@champion, policy/7, a run, an experiment or a DVC id"


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
        pin.add_argument("model", metavar="MODEL", help=MODEL)
        pin.add_argument("--reason", required=True)
        pin.set_defaults(command=_pin, unpin=name == "unpin")

    forget = commands.add_parser(
        "forget",
        help="delete an annotator's, a person's or one record's data, and taint the models made from it",
        description="A data-deletion request: which dataset versions hold it, which models descend from them; cleaned "
        "versions, a tombstone, the retraining that is needed, and with --purge the bytes are gone for good.",
    )
    what = forget.add_mutually_exclusive_group(required=True)
    what.add_argument("--annotator", metavar="NAME", help="all that an annotator or judge labelled")
    what.add_argument("--record", metavar="ID", help="one record, by its id or by the sha256 of its text")
    what.add_argument("--subject", metavar="TEXT", help="all rows in which a text occurs, such as a person's name")
    mode = forget.add_mutually_exclusive_group(required=True)
    mode.add_argument("--plan", action="store_true", help="show what would be done, and change nothing")
    mode.add_argument("--apply", action="store_true", help="write cleaned versions and the tombstone")
    forget.add_argument("--purge", action="store_true", help="with --apply: remove the old versions' bytes for good")
    forget.add_argument("--reason", default="", help="with --apply: why; kept, so name nobody")
    forget.set_defaults(command=_forget)

    reproduce = commands.add_parser(
        "reproduce",
        help="make a model's whole tree again from raw data, and compare every hash",
        description="Makes every artifact again at the recorded commit and settings, in a fresh worktree with an empty "
        "cache. Ends with 1 and names the first artifact that differs, and how, where it is not the same bit for bit.",
    )
    reproduce.add_argument("model", metavar="MODEL", help=MODEL)
    reproduce.set_defaults(command=_reproduce)


def _gc(options: argparse.Namespace) -> int:
    from stemma.cleanup.gc import carry_out, page, plan_gc
    from stemma.lineage.family import size_text
    from stemma.lineage.index import open_index
    from stemma.lineage.store import Store

    root = find_project(Path.cwd())
    retention = timedelta(days=options.retention)
    with closing(open_index(root)) as index, Store(root) as store:
        plan = plan_gc(root, index, store, remote=options.remote, retention=retention)
        print_page(page(plan))
        if not options.apply:
            return print_page("\nNothing was changed; --apply removes it.")
        return print_page(f"\nRemoved: {size_text(carry_out(plan, store))}.")


def _pin(options: argparse.Namespace) -> int:
    from stemma.lineage.index import open_index
    from stemma.lineage.names import find_model
    from stemma.lineage.pins import PINS, Pins
    from stemma.lineage.sharing import hand_on, take_over

    root = find_project(Path.cwd())
    with closing(open_index(root)) as index:
        model = find_model(root, index, options.model)
    take_over(root, PINS)
    pins = Pins(root)
    (pins.unpin if options.unpin else pins.pin)(model, options.reason)
    hand_on(root, PINS)
    return print_page(f"{model.title} is {'no longer pinned' if options.unpin else 'pinned'}.")


def _forget(options: argparse.Namespace) -> int:
    from stemma.forgetting.forget import Request, apply
    from stemma.forgetting.forget_page import outcome_page, plan_page, purge_page
    from stemma.forgetting.purge import purge, purge_copies
    from stemma.lineage.forgotten import FORGOTTEN
    from stemma.lineage.index import open_index
    from stemma.lineage.sharing import take_over
    from stemma.lineage.sources import find_labeller
    from stemma.lineage.store import Store

    if options.plan and options.purge:
        raise SettingsError("--purge removes bytes, and --plan changes nothing; give --purge together with --apply")
    if options.apply and not options.reason.strip():
        raise SettingsError("say why, for the tombstone: --reason '…' (it is kept, so name nobody)")
    root = find_project(Path.cwd())
    if options.apply:
        take_over(root, FORGOTTEN)
    with closing(open_index(root)) as index, Store(root) as store:
        request = Request(root, index, store, _wanted(options))
        if options.annotator and not request.roots:
            # A misspelt name must not read as "we hold nothing": this tells whose verdicts there are.
            find_labeller(root, index, store, "annotator", options.annotator.strip())
        print_page(plan_page(request))
        if options.plan:
            return print_page("\nNothing was changed; --apply cleans, --apply --purge removes the bytes as well.")
        is_new = apply(request, options.reason)
        print_page(outcome_page(request, is_new))
        if options.purge:
            print_page(purge_page(request, purge(request), purge_copies(request)))
        return 0


def _reproduce(options: argparse.Namespace) -> int:
    from stemma.lineage.index import open_index
    from stemma.lineage.names import find_model
    from stemma.lineage.store import Store
    from stemma.reproduction.reproduce import page, reproduce

    root = find_project(Path.cwd())
    with closing(open_index(root)) as index, Store(root) as store:
        model = find_model(root, index, options.model)
        told = reproduce(root, index, store, model, print_page)
    print_page(page(model, told))
    return 1 if told.difference else 0


def _wanted(options: argparse.Namespace) -> "Wanted":
    from stemma.forgetting.wanted import Annotator, Record, Subject

    text: str = (options.annotator or options.record or options.subject or "").strip()
    if not text:
        raise SettingsError("nothing is named to be forgotten; give a name, an id or a text that is not empty")
    kind: type[Wanted] = Annotator if options.annotator else Record if options.record else Subject
    return kind(text)
