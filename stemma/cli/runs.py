"""`stemma run | runs | push | pull | show`: make runs and look at them."""

import argparse
from pathlib import Path

from stemma.cli.page import Commands, print_page
from stemma.errors import StemmaError
from stemma.lineage.git import find_project
from stemma.records.counting import counted

WAITS_STATUS = 3


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    run = commands.add_parser("run", help="run a flow", description="Run a flow in a worktree of its own.")
    run.add_argument(
        "flow",
        choices=["rlhf", "rlaif", "dpo", "retrain"],
        help="rlhf: reward model and PPO; rlaif: the same by AI judges' labels; dpo: straight from the pairs; "
        "retrain: a round that starts from the champion",
    )
    run.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change one setting: dpo.beta=0.2")
    run.add_argument("--profile", metavar="NAME", help="lay profiles/NAME.yaml over params.yaml")
    run.add_argument("--name", default="", metavar="RUN", help="the run's name; Prefect chooses one otherwise")
    run.add_argument("--dry-run", action="store_true", help="only tell what would run, why, and what it would cost")
    run.set_defaults(command=_run)

    runs = commands.add_parser("runs", help="list the runs on record")
    runs.set_defaults(command=_runs)

    push = commands.add_parser(
        "push",
        help="push runs to the Git and DVC remotes; without RUN, all on record",
        description="Push runs whole: commits, artifacts, raw inputs, registered versions. For runs that ended before "
        "there were remotes, or while one was away. Each object is looked for on the DVC remote afterwards.",
    )
    push.add_argument("runs", nargs="*", metavar="RUN")
    push.set_defaults(command=_push)

    pull = commands.add_parser(
        "pull",
        help="fetch the record of other clones, and the bytes of the named runs",
        description="Fetch runs and registered models from the Git remote, and the artifacts and raw inputs of the "
        "named runs from the DVC remote into the cache. `dvc exp apply RUN` then puts a run's files in place.",
    )
    pull.add_argument("runs", nargs="*", metavar="RUN")
    pull.set_defaults(command=_pull)

    show = commands.add_parser("show", help="results and family tree of runs; without RUN, the newest of each flow")
    show.add_argument("runs", nargs="*", metavar="RUN")
    show.add_argument("--json", action="store_true", help="as JSON")
    show.set_defaults(command=_show)


def _push(options: argparse.Namespace) -> int:
    from stemma.lineage.run_transfer import push_run
    from stemma.lineage.runs import find_run, list_runs

    root = find_project(Path.cwd())
    runs = [find_run(root, name) for name in options.runs] or list(reversed(list_runs(root)))
    failed = 0
    for run in runs:
        try:
            print_page(f"{run.name}: {push_run(root, run).words()}")
        except StemmaError as error:
            if len(runs) == 1:
                raise
            failed += 1
            print_page(f"{run.name}: not pushed: {error}")
    return 1 if failed else 0


def _pull(options: argparse.Namespace) -> int:
    from stemma.lineage.registering import catch_up_all
    from stemma.lineage.run_transfer import pull_run
    from stemma.lineage.runs import find_run, list_runs

    root = find_project(Path.cwd())
    catch_up_all(root)
    for name in options.runs:
        print_page(f"{name}: {pull_run(root, find_run(root, name))} objects came, the others were here")
    if not options.runs:
        number = len(list_runs(root))
        words = f"{counted(number, 'run')} {'is' if number == 1 else 'are'} on record"
        print_page(f"{words}; `stemma pull RUN` brings the bytes of one")
    return 0


def _run(options: argparse.Namespace) -> int:
    from flows.settings import load_settings
    from flows.start import plan, start

    root = find_project(Path.cwd())
    settings = load_settings(root, options.profile, options.set)
    if options.dry_run:
        return print_page(plan(root, options.flow, settings, options.name))
    report = start(root, options.flow, settings, options.name)
    # Not before: Prefect reads, when it is imported, what `start` tells it of servers and logs.
    from flows.people.suspension import Waiting

    if isinstance(report, Waiting):
        print_page(f"\nstemma: run {report.run} waits. {report.words}")
        return WAITS_STATUS
    return print_page(f"\nLook: stemma show {report.run}    Take its files: dvc exp apply {report.run}")


def _runs(_: argparse.Namespace) -> int:
    from stemma.lineage.show import runs_table

    return print_page(runs_table(find_project(Path.cwd())))


def _show(options: argparse.Namespace) -> int:
    from stemma.lineage.show import runs_json, runs_page

    root = find_project(Path.cwd())
    return print_page((runs_json if options.json else runs_page)(root, options.runs))
