"""The command line: `stemma run | runs | show | ui`."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from stemma.errors import StemmaError
from stemma.lineage.git import find_project

FAULT_STATUS = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0, or 2 where something was told to the person as an error."""
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
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run a flow", description="Run a flow in a worktree of its own.")
    run.add_argument("flow", choices=["rlhf", "dpo"], help="rlhf: reward model and PPO; dpo: straight from the pairs")
    run.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change one setting: dpo.beta=0.2")
    run.add_argument("--profile", metavar="NAME", help="lay profiles/NAME.yaml over params.yaml")
    run.add_argument("--name", default="", metavar="RUN", help="the run's name; Prefect chooses one otherwise")
    run.set_defaults(command=_run)

    runs = commands.add_parser("runs", help="list the runs on record")
    runs.set_defaults(command=_runs)

    show = commands.add_parser("show", help="results and family tree of runs; without RUN, the newest of each flow")
    show.add_argument("runs", nargs="*", metavar="RUN")
    show.add_argument("--json", action="store_true", help="as JSON")
    show.set_defaults(command=_show)

    ui = commands.add_parser("ui", help="start the Prefect server and the MLflow UI on this machine")
    ui.add_argument("--prefect-port", type=int, default=4200)
    ui.add_argument("--mlflow-port", type=int, default=5000)
    ui.set_defaults(command=_ui)
    return parser


def _run(options: argparse.Namespace) -> int:
    from flows.settings import load_settings
    from flows.start import start

    root = find_project(Path.cwd())
    settings = load_settings(root, options.profile, options.set)
    report = start(root, options.flow, settings, options.name)
    print(f"\nLook: stemma show {report.run}    Take its files: dvc exp apply {report.run}")
    return 0


def _print(text: str) -> int:
    """Print a page; a reader that closes the pipe early (`| head`) is no error."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    print(text)
    return 0


def _runs(_: argparse.Namespace) -> int:
    from stemma.lineage.show import runs_table

    return _print(runs_table(find_project(Path.cwd())))


def _show(options: argparse.Namespace) -> int:
    from stemma.lineage.show import runs_json, runs_page

    root = find_project(Path.cwd())
    return _print((runs_json if options.json else runs_page)(root, options.runs))


def _ui(options: argparse.Namespace) -> int:
    from flows.servers import serve

    return serve(find_project(Path.cwd()), options.prefect_port, options.mlflow_port)
