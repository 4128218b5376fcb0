"""A Prefect worker that reports a crash once: `python -m flows.service.worker`, which `stemma up` starts.

Prefect's process worker reports the crash of a run's process twice: when the process has ended, and again some seconds
later, when the hooks for crashes are through. Our automation has put the run back after the first report, and the
second one would crash the attempt that another worker has begun by then.
"""

import sys
import warnings

from prefect.cli import app
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import ObjectNotFound
from prefect.workers.process import ProcessWorker

with warnings.catch_warnings():
    # Prefect says that this takes the place of its own worker among those of type `process`, which is what it is for.
    warnings.simplefilter("ignore")

    class Worker(ProcessWorker):
        """Takes the runs of a pool, each in a process of its own."""

        async def _propose_crashed_state(
            self, flow_run: FlowRun, message: str, client: PrefectClient | None = None
        ) -> None:
            """Report that the attempt for which `flow_run` was taken has crashed, unless the run is past it."""
            try:
                now = await (client or self.client).read_flow_run(flow_run.id)
            except ObjectNotFound:
                return
            if not _is_past(now, flow_run):
                await super()._propose_crashed_state(flow_run, message, client)


def _is_past(now: FlowRun, taken: FlowRun) -> bool:
    """Whether a run is past the attempt for which it was taken: it has been put back, or has begun again.

    Prefect counts how often a run has begun; it does not count the first beginning after a suspension.
    """
    attempt = taken.run_count + (not _resumes(taken))
    waits_again = now.state_type in {StateType.SCHEDULED, StateType.PENDING} and not _resumes(now)
    return now.run_count > attempt or (now.run_count == attempt and waits_again)


def _resumes(run: FlowRun) -> bool:
    return bool(run.empirical_policy.resuming)


if __name__ == "__main__":
    sys.argv[1:1] = ["worker", "start", "--type", Worker.type]
    app()
