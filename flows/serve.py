"""Offer the flows to the Prefect UI of this machine: `python -m flows.serve`, which `stemma ui` starts."""

import asyncio
import threading
from pathlib import Path
from typing import Any

from prefect import Flow
from prefect.flows import aserve

from flows.dpo import dpo
from flows.label_events import offer_resumption
from flows.label_watch import watch
from flows.promote import promote
from flows.reconcile import reconcile
from flows.reproduce import reproduce
from flows.rlaif import rlaif
from flows.rlhf import rlhf
from flows.rollback import rollback
from stemma.lineage.git import find_project

OFFERED: tuple[Flow[Any, Any], ...] = (rlhf, rlaif, dpo, promote, rollback, reproduce, reconcile)


async def main() -> None:
    """Register every flow as a deployment, run what is asked for, and announce labels, until told to stop."""
    await offer_resumption()
    threading.Thread(target=watch, args=(find_project(Path.cwd()),), daemon=True).start()
    deployments = [
        await flow.ato_deployment(flow.name, description=(flow.description or "").partition("\n")[0])
        for flow in OFFERED
    ]
    await aserve(*deployments, pause_on_shutdown=False, print_starting_message=False)


if __name__ == "__main__":
    asyncio.run(main())
