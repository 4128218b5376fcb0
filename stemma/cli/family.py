"""`stemma trace | impact | diff`: what made a model, what came of anything that went into one, and why two differ."""

import argparse
import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from stemma.cli.page import Commands, print_page
from stemma.lineage.git import find_project

if TYPE_CHECKING:
    from stemma.lineage.index import Index
    from stemma.lineage.sources import Source


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    trace = commands.add_parser("trace", help="what made a model, back to the raw data")
    trace.add_argument("model", metavar="MODEL", help="policy@champion, policy/7, a run, an experiment or a DVC id")
    form = trace.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON")
    form.add_argument("--html", type=Path, metavar="FILE", help="as one web page, with the family drawn")
    trace.set_defaults(command=_trace)

    impact = commands.add_parser("impact", help="what came of a dataset, labels, a model, a record or a code file")
    begin = impact.add_mutually_exclusive_group(required=True)
    begin.add_argument(
        "id", nargs="?", metavar="ID", help="DVC id of anything, policy@champion, policy/7, a run, or PATH@COMMIT"
    )
    begin.add_argument("--annotator", metavar="NAME", help="whoever gave verdicts under this name")
    begin.add_argument("--judge", metavar="NAME", help="an AI judge that gave verdicts; a trained judge is an artifact")
    begin.add_argument("--record", metavar="ID", help="a row's id, or the sha256 of the row or of a text in it")
    impact.add_argument("--json", action="store_true", help="as JSON")
    impact.set_defaults(command=_impact)

    diff = commands.add_parser(
        "diff", help="why two models differ: where their trees part, and what is different there"
    )
    diff.add_argument("a", metavar="A", help="a model, named as for trace")
    diff.add_argument("b", metavar="B", help="another")
    diff.add_argument("--json", action="store_true", help="as JSON")
    diff.set_defaults(command=_diff)


def _trace(options: argparse.Namespace) -> int:
    from flows.settings import ProjectSettings, stage_values
    from stemma.lineage.index import open_index
    from stemma.lineage.names import find_model
    from stemma.lineage.store import Store
    from stemma.lineage.trace import as_json, page, trace
    from stemma.lineage.trace_page import write_trace

    root = find_project(Path.cwd())
    with closing(open_index(root)) as index, Store(root) as store:
        told = trace(index, store, find_model(root, index, options.model), stage_values(ProjectSettings()))
    if options.html:
        write_trace(told, options.html)
        return print_page(f"{options.html} shows the family of {told.title}")
    return print_page(json.dumps(as_json(told), indent=2) if options.json else page(told))


def _impact(options: argparse.Namespace) -> int:
    from stemma.lineage.impact import as_json, impact, page
    from stemma.lineage.index import open_index

    root = find_project(Path.cwd())
    with closing(open_index(root)) as index:
        told = impact(root, index, _source(root, index, options))
    return print_page(json.dumps(as_json(told), indent=2) if options.json else page(told))


def _source(root: Path, index: "Index", options: argparse.Namespace) -> "Source":
    from stemma.lineage.sources import find_labeller, find_record, find_source
    from stemma.lineage.store import Store

    with Store(root) as store:
        if options.annotator is not None:
            return find_labeller(root, index, store, "annotator", options.annotator)
        if options.judge is not None:
            return find_labeller(root, index, store, "judge", options.judge)
        if options.record is not None:
            return find_record(root, index, store, options.record)
    return find_source(root, index, options.id)


def _diff(options: argparse.Namespace) -> int:
    from stemma.lineage.diff import diff
    from stemma.lineage.diff_page import as_json, page
    from stemma.lineage.index import open_index
    from stemma.lineage.names import find_model
    from stemma.lineage.store import Store

    root = find_project(Path.cwd())
    with closing(open_index(root)) as index, Store(root) as store:
        told = diff(root, index, store, find_model(root, index, options.a), find_model(root, index, options.b))
    return print_page(json.dumps(as_json(told), indent=2) if options.json else page(told))
