"""Offer the flows to the Prefect UI of this machine: `python -m flows.serve`, which `stemma ui` starts."""

import asyncio
from typing import Any

from prefect import Flow
from prefect.flows import aserve

from flows.dpo import dpo
from flows.promote import promote
from flows.reconcile import reconcile
from flows.reproduce import reproduce
from flows.rlhf import rlhf
from flows.rollback import rollback

OFFERED: tuple[Flow[Any, Any], ...] = (rlhf, dpo, promote, rollback, reproduce, reconcile)


async def main() -> None:
    """Register every flow as a deployment and run what is asked for, until told to stop."""
    deployments = [
        await flow.ato_deployment(flow.name, description=(flow.description or "").partition("\n")[0])
        for flow in OFFERED
    ]
    await aserve(*deployments, pause_on_shutdown=False, print_starting_message=False)


if __name__ == "__main__":
    asyncio.run(main())
