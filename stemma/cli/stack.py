"""`stemma up | down | deploy`: the servers and workers of this machine, and what they offer."""

import argparse
from pathlib import Path

from stemma.cli.page import Commands, print_page
from stemma.lineage.git import find_project


def add_commands(commands: Commands) -> None:
    """Add the commands of this module."""
    up = commands.add_parser(
        "up",
        help="start Prefect, MLflow, the label page and the workers of this machine",
        description="Start the Prefect server, MLflow, the label page and workers in the background, and deploy. "
        "A server that PREFECT_API_URL or MLFLOW_TRACKING_URI names is used instead of one of its own.",
    )
    up.add_argument("--worker", action="store_true", help="only the workers, for the server that PREFECT_API_URL names")
    up.add_argument(
        "--pool", action="append", choices=["cpu", "gpu"], help="which pool's runs this machine takes; both by default"
    )
    up.add_argument("--foreground", action="store_true", help="stay, and stop all of it on SIGTERM or Ctrl-C")
    up.add_argument("--host", default="127.0.0.1", help="address to listen on; 127.0.0.1 unless you say otherwise")
    up.add_argument("--prefect-port", type=int, default=4200)
    up.add_argument("--mlflow-port", type=int, default=5000)
    up.add_argument("--label-port", type=int, default=8377)
    up.set_defaults(command=_up)

    down = commands.add_parser("down", help="stop what `stemma up` started")
    down.set_defaults(command=_down)

    deploy = commands.add_parser(
        "deploy",
        help="offer the flows of prefect.yaml on the Prefect server, with pools and automations",
        description="Create or update the work pools, the deployments of prefect.yaml and the automations.",
    )
    deploy.set_defaults(command=_deploy)


def _up(options: argparse.Namespace) -> int:
    from flows.service.services import POOLS, Wanted
    from flows.service.up import stay, up

    wanted = Wanted(
        host=options.host,
        prefect_port=options.prefect_port,
        mlflow_port=options.mlflow_port,
        label_port=options.label_port,
        pools=tuple(options.pool or POOLS),
        only_workers=options.worker,
    )
    if options.foreground:
        stay(find_project(Path.cwd()), wanted)
    return print_page(up(find_project(Path.cwd()), wanted))


def _down(_: argparse.Namespace) -> int:
    from flows.service.up import down

    return print_page(down(find_project(Path.cwd())))


def _deploy(_: argparse.Namespace) -> int:
    from flows.service.deploy import deploy

    return print_page(deploy(find_project(Path.cwd())))
