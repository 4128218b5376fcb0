"""`stemma label import | export`: labels from, and to, the files of other tools."""

import argparse
import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from stemma.cli.label_store import add_store_option, is_there, label_store
from stemma.cli.page import Commands, print_page
from stemma.errors import DataError
from stemma.lineage.git import find_project
from stemma.records.counting import counted

if TYPE_CHECKING:
    from flows.settings import ProjectSettings
    from stemma.records.example import Example
    from stemma.records.reading import Reading

LABELLED_STAGES = ("label", "ai_label", "data")
"""Stages of which an artifact holds labels."""


def add_commands(commands: Commands) -> None:
    """Add the commands of this module to those of `stemma label`."""
    bring = commands.add_parser("import", help="take labels from files of other tools, or make a batch of them")
    bring.add_argument("files", nargs="+", type=Path, metavar="FILE", help=".jsonl, .json, either with .gz")
    bring.add_argument("--format", metavar="NAME", help="where the rows' fields do not say it; see docs/formats.md")
    bring.add_argument("--ignore", action="append", default=[], metavar="FIELD", help="leave a field of the rows out")
    bring.add_argument(
        "--selected",
        nargs=2,
        metavar=("LEFT", "RIGHT"),
        help="what Label Studio's `selected` says, where a project configured other words than left and right",
    )
    place = bring.add_mutually_exclusive_group(required=True)
    place.add_argument("--out", type=Path, metavar="DIR", help="a folder that is not there yet, or empty")
    place.add_argument("--batch", metavar="NAME", help="make a batch of the label store instead, to be labelled here")
    bring.add_argument("--overlap", type=int, default=1, metavar="N", help="people asked about an item of the batch")
    add_store_option(bring)
    bring.set_defaults(command=_import)

    give = commands.add_parser("export", help="write labels as a file that another tool loads")
    give.add_argument("what", metavar="WHAT", help="a folder with labels, a batch, a run, or the DVC id of labels")
    give.add_argument("--format", required=True, metavar="NAME", help="see docs/formats.md")
    give.add_argument("--out", type=Path, required=True, metavar="FILE", help="replaced if it is there")
    give.add_argument("--strict", action="store_true", help="refuse where the format cannot hold everything")
    add_store_option(give)
    give.set_defaults(command=_export)


def _import(options: argparse.Namespace) -> int:
    from flows.settings import load_settings

    root = find_project(Path.cwd())
    settings = load_settings(root, None, ())
    reading = _read(options, settings)
    lines = [_taken(reading), *(f"  rejected: {count} × {why}" for why, count in reading.rejected_reasons().items())]
    if options.batch is not None:
        return print_page("\n".join([*lines, _make_batch(options, root, settings, reading)]))
    from stemma.export.folder import whole_folder
    from stemma.labelling.formats.importing import write_labels

    with whole_folder(options.out) as folder:
        told = write_labels(folder, reading, settings.data.shares)
    lines += [f"  {name}: {json.dumps(told[name], ensure_ascii=False)}" for name in ("verdicts", "comparisons")]
    return print_page("\n".join([*lines, f"{options.out} holds the verdicts, comparisons, rejects and a report."]))


def _read(options: argparse.Namespace, settings: "ProjectSettings") -> "Reading":
    from stemma.labelling.formats.importing import row_reader
    from stemma.records.reading import read_files

    if options.selected and options.format not in {None, "label-studio"}:
        raise DataError(f"--selected is for files of Label Studio; take away --format {options.format}")
    data = settings.data
    sides = tuple(options.selected) if options.selected else None
    read = row_reader(options.format, (*data.ignored_fields, *options.ignore), sides)
    reading = read_files({str(path): path for path in options.files}, read)
    reading.check(data.max_rejected_share)
    return reading


def _taken(reading: "Reading") -> str:
    unanswered = sum(bool(example.answers) and not example.opinions for example in reading.examples)
    rows = len(reading.examples) + len(reading.rejects)
    waiting = f", {unanswered} of them with answers that nobody compared" if unanswered else ""
    return f"{len(reading.examples)} of {counted(rows, 'row')} were taken{waiting}."


def _make_batch(options: argparse.Namespace, root: Path, settings: "ProjectSettings", reading: "Reading") -> str:
    from stemma.labelling.formats.new_batch import batch_of

    path = root / settings.human.guidelines
    if not path.is_file():
        raise DataError(f"human.guidelines: there is no file {path}; annotators must be told what counts")
    guidelines = path.read_text(encoding="utf-8")
    batch = batch_of(options.batch, reading.examples, guidelines, options.overlap, map(str, options.files))
    with label_store(options) as store:
        store.make_batch(batch)
    return f"Batch {batch.id} waits with {counted(len(batch.items), 'item')}; `stemma label serve` shows it."


def _export(options: argparse.Namespace) -> int:
    from stemma.labelling.formats.exporting import export, told, write_export
    from stemma.records.recognition import form_named

    form = form_named(options.format)
    done = export(_examples(options), form)
    if options.strict:
        done.check_nothing_left_out(form)
    write_export(options.out, form, done.rows)
    lines = [f"{options.out} holds {counted(len(done.rows), 'row')} of the format {form.name}."]
    if done.left_out:
        lines.append(f"Left out, because the format has no place for it: {told(done.left_out)}.")
    return print_page("\n".join(lines))


def _examples(options: argparse.Namespace) -> "Sequence[Example]":
    """The labels that a name means: those in a folder of that name, or else of a batch, or else of a run."""
    from stemma.labelling.formats.folder import PROMPTS, read_labels

    folder = Path(options.what)
    if folder.is_dir():
        return read_labels(folder, folder.parent / "data" / PROMPTS)
    return _batch(options) or _artifact(options.what)


def _batch(options: argparse.Namespace) -> "Sequence[Example]":
    """The labels of a batch; empty where there is no batch of that name."""
    from stemma.labelling.formats.verdicts import examples_of

    if not is_there(options):
        return []
    with label_store(options) as store:
        if store.batch(options.what) is None:
            return []
        verdicts = store.verdicts(options.what)
        if not verdicts:
            raise DataError(f"batch {options.what} has no verdicts yet")
        return examples_of(verdicts, store.prompts(options.what))


def _artifact(name: str) -> "Sequence[Example]":
    from stemma.labelling.formats.folder import PROMPTS, read_labels
    from stemma.labelling.formats.importing import LABELLED
    from stemma.lineage.index import open_index
    from stemma.lineage.names import find_model
    from stemma.lineage.store import Store

    root = find_project(Path.cwd())
    with closing(open_index(root)) as index, Store(root) as store, TemporaryDirectory() as kept:
        found = find_model(root, index, name)
        stages = index.of_run(found.run.commit)
        labels = found.derivation if found.derivation.stage in LABELLED_STAGES else stages["label"]
        wanted = [(labels.artifact, file) for file in (LABELLED, "verdicts.jsonl", "comparisons.jsonl")]
        for artifact, file in [*wanted, (stages["data"].artifact, PROMPTS)]:
            content = store.read(artifact, file)
            if content is not None:
                (Path(kept) / file).write_bytes(content)
        return read_labels(Path(kept))
