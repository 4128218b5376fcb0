"""`stemma judge check | revise`: what an AI judge is worth, and better answers from its model."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from stemma.cli.page import Commands, print_page
from stemma.errors import DataError, SettingsError, WorkspaceError
from stemma.lineage.git import find_project
from stemma.records.counting import counted

if TYPE_CHECKING:
    from flows.settings import ProjectSettings
    from stemma.config import MachineConfig
    from stemma.judging.ai_settings import AiJudgeConfig
    from stemma.judging.check import Trial
    from stemma.judging.check_page import Judged
    from stemma.judging.labelled import Labels
    from stemma.judging.text_judge import Bench

FOUND_STATUS = 1


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    judge = commands.add_parser("judge", help="AI judges: check them against people, let them revise answers")
    actions = judge.add_subparsers(required=True, metavar="ACTION")

    check = actions.add_parser(
        "check",
        help="a judge against people's labels: agreement, leanings, calibration",
        description="Compares AI judges' verdicts with people's on the same pairs. Where none of the labels is a "
        "judge's, the judges of ai_label.judges are asked about people's comparisons. Ends with 1 where a judge "
        "agrees with people less often than ai_label.least_agreement.",
    )
    check.add_argument("labels", metavar="RUN|FOLDER", help="a run, or a folder such as artifacts/label")
    check.add_argument("--people", metavar="RUN|FOLDER", help="take people's labels from here instead")
    check.add_argument("--json", action="store_true", help="as JSON")
    check.add_argument("--html", type=Path, metavar="FILE", help="as one web page, with the calibration plots")
    check.add_argument("--plot", type=Path, metavar="FILE", help="the calibration plot as PNG; needs a single judge")
    _add_settings(check)
    check.set_defaults(command=_check)

    revise = actions.add_parser(
        "revise",
        help="critique and revise sampled answers by the constitution, as demonstrations for data.files",
        description="The supervised phase of Constitutional AI: for each training prompt of artifacts/sample a "
        "judge's model criticises the policy's answer and writes a better one.",
    )
    revise.add_argument("file", type=Path, metavar="FILE", help="where the demonstrations go: messages as JSON lines")
    revise.add_argument(
        "--artifacts", type=Path, default=Path("artifacts"), metavar="FOLDER", help="holds data, sample"
    )
    revise.add_argument(
        "--judge", default="", metavar="NAME", help="which of ai_label.judges writes; needed where many"
    )
    revise.add_argument("--most", type=int, default=0, metavar="N", help="no more answers than this; 0 is no limit")
    revise.add_argument("--max-tokens", type=int, default=512, metavar="N", help="of one critique or revision (512)")
    _add_settings(revise)
    revise.set_defaults(command=_revise)


def _add_settings(command: argparse.ArgumentParser) -> None:
    command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change one setting")
    command.add_argument("--profile", metavar="NAME", help="lay profiles/NAME.yaml over params.yaml")


def _settings(root: Path, options: argparse.Namespace) -> "ProjectSettings":
    """The settings, with every judge's folder and weights settled."""
    from flows.judges import settled
    from flows.settings import load_settings

    settings = load_settings(root, options.profile, options.set)
    judges = tuple(settled(root, judge) for judge in settings.ai_label.judges)
    return settings.model_copy(update={"ai_label": settings.ai_label.model_copy(update={"judges": judges})})


def _check(options: argparse.Namespace) -> int:
    from stemma.judging.check_page import as_json, html, page
    from stemma.judging.check_plot import calibration_png

    root = find_project(Path.cwd())
    settings = _settings(root, options)
    title, judges = _judged(root, settings, options)
    bar = settings.ai_label.least_agreement
    if options.plot and len(judges) > 1:
        names = ", ".join(one.judge for one in judges)
        raise SettingsError(f"--plot draws one judge, and there are {len(judges)}: {names}; take --html FILE instead")
    if options.plot:
        _write(options.plot, calibration_png(judges[0].judge, judges[0].check))
    if options.html:
        pictures = {one.judge: calibration_png(one.judge, one.check) for one in judges}
        _write(options.html, html(title, judges, bar, pictures).encode())
    print_page(json.dumps(as_json(title, judges, bar), indent=2) if options.json else page(title, judges, bar))
    return 0 if all(one.passes for one in judges) else FOUND_STATUS


def _judged(root: Path, settings: "ProjectSettings", options: argparse.Namespace) -> "tuple[str, list[Judged]]":
    """Every judge with its numbers: judges on record, or else those of the settings, asked now."""
    from stemma.judging.labelled import read_labels, trials
    from stemma.lineage.store import Store

    with Store(root) as store:
        labels = read_labels(root, store, options.labels)
        people = read_labels(root, store, options.people) if options.people else labels
    shares = people.people()
    if not shares:
        raise DataError(f"{people.title} holds no labels of people; name some that do with --people RUN|FOLDER")
    judged = labels.judged()
    found = {judge: trials(verdicts, shares) for judge, verdicts in judged.items()}
    if not judged:
        found = _ask(root, settings, people)
    title = f"{labels.title}, people's labels of {people.title}" if options.people else labels.title
    bar = settings.ai_label.least_agreement
    return title, [_numbers(judge, pairs, bar, title) for judge, pairs in found.items()]


def _numbers(judge: str, pairs: "list[Trial]", bar: float, title: str) -> "Judged":
    from stemma.judging.check import check, side
    from stemma.judging.check_page import Judged
    from stemma.labelling.quality.agreement import cohen_kappa
    from stemma.labelling.quality.votes import MIRRORED

    checked = check(pairs)
    if checked.agreement is None:
        raise DataError(f"judge {judge} has no verdict on a pair that people compared too: {title}")
    words = {0.0: "second", 0.5: "tie", 1.0: "first"}
    kappa = cohen_kappa([(words[side(pair.judge)], words[side(pair.people)]) for pair in pairs], MIRRORED)
    return Judged(judge, checked, kappa, checked.agreement.estimate >= bar)


def _ask(root: Path, settings: "ProjectSettings", labels: "Labels") -> "dict[str, list[Trial]]":
    """What the judges of the settings say of people's comparisons."""
    from stemma.judging.check import trial_of
    from stemma.judging.seating import seat

    known = labels.known_cases(settings.seed)
    if not known or not settings.ai_label.judges:
        raise SettingsError(
            f"{labels.title} holds no AI judge's verdicts, and "
            + ("no comparisons to ask one about" if not known else "ai_label.judges names no judge to ask; name one")
        )
    found = {}
    with _bench(root, settings) as bench:
        for config in settings.ai_label.judges:
            opinions = seat(config, _machine(settings), bench).opinions([row.case for row in known])
            rows = zip(known, opinions, strict=True)
            found[config.name] = [trial_of(row.case, opinion, row.people) for row, opinion in rows if opinion]
    return found


def _revise(options: argparse.Namespace) -> int:
    from stemma.judging.demonstrations import first_answers, write_demonstrations
    from stemma.judging.revise import revise
    from stemma.judging.writers import writer_for

    if options.most < 0 or options.max_tokens < 1:
        raise SettingsError("--most takes 0 or more, and --max-tokens 1 or more")
    root = find_project(Path.cwd())
    settings = _settings(root, options)
    judge = _writing_judge(settings, options.judge)
    writer = writer_for(judge, _machine(settings), settings.seed, options.max_tokens)
    answers = first_answers(options.artifacts, options.most)
    with _bench(root, settings) as bench:
        revised = revise(bench.constitution, writer, answers, bench.cache, bench.progress)
        report = write_demonstrations(options.file, revised, {"constitution": bench.told(), "model": writer.origin})
    return print_page(
        f"{len(revised.revisions)} of {counted(len(answers), 'answer')} revised in {options.file}; {report} says how. "
        f"Take them in: --set 'data.files=[…, {options.file}]'"
    )


@contextmanager
def _bench(root: Path, settings: "ProjectSettings") -> "Iterator[Bench]":
    """The constitution of the settings, and the answers that the project remembers."""
    from stemma.judging.answer_cache import CACHE, open_cache
    from stemma.judging.constitution import FOLDER, read_constitution
    from stemma.judging.text_judge import Bench
    from stemma.stage.live_lines import LiveLines

    config = settings.ai_label
    progress = LiveLines("stemma judge", stream=sys.stderr)  # beside the page, so that JSON stays JSON
    constitution, sha256 = read_constitution(root / FOLDER, config.constitution)
    with open_cache(root / ".stemma" / CACHE) as cache, progress.never_silent():
        yield Bench(constitution, sha256, cache, settings.seed, config.most_broken_share, progress)


def _machine(settings: "ProjectSettings") -> "MachineConfig":
    from flows.hardware import resolve

    return resolve(settings.machine)


def _writing_judge(settings: "ProjectSettings", name: str) -> "AiJudgeConfig":
    named = [judge for judge in settings.ai_label.judges if name in ("", judge.name)]
    if len(named) != 1:
        known = ", ".join(judge.name for judge in settings.ai_label.judges) or "none"
        raise SettingsError(f"name one judge of ai_label.judges with --judge NAME; there are: {known}")
    return named[0]


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise WorkspaceError(f"{file} cannot be written ({error.strerror}); name another") from None
