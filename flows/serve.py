"""Offer both flows to the Prefect UI of this machine: `python -m flows.serve`, which `stemma ui` starts."""

import asyncio

from prefect.flows import aserve

from flows.dpo import dpo
from flows.rlhf import rlhf


async def main() -> None:
    """Register both flows as deployments and run what is asked for, until told to stop."""
    await aserve(
        await rlhf.ato_deployment("rlhf", description="Align a policy by a reward model and PPO."),
        await dpo.ato_deployment("dpo", description="Align a policy straight from the pairs."),
        pause_on_shutdown=False,
        print_starting_message=False,
    )


if __name__ == "__main__":
    asyncio.run(main())
