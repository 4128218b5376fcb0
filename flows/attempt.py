"""Whether this process is still at its flow run: one that was cut off for a while was taken for dead meanwhile."""

import httpx
from prefect import get_run_logger, runtime
from prefect.client.orchestration import get_client
from prefect.exceptions import Abort, ObjectNotFound
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from flows.beginning import is_deployed

SECONDS_TO_ANSWER = 10.0


def leave_if_taken_up() -> None:
    """End this process where another worker has begun the same flow run since; a silent server changes nothing.

    Raises Abort, on which Prefect leaves the run's state alone: any error would end the run of that other worker too.
    """
    if not is_deployed():
        return
    try:
        # A client of its own: the run's own is patient for minutes.
        with (
            temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}),
            get_client(sync_client=True, httpx_settings={"timeout": SECONDS_TO_ANSWER}) as client,
        ):
            begun = client.read_flow_run(runtime.flow_run.id).run_count
    except (httpx.HTTPError, ObjectNotFound):
        return
    if begun > int(runtime.flow_run.run_count or 0):
        words = "nothing was heard of this worker for a while, and another one goes on with the run; it ends here"
        get_run_logger().warning(words)
        raise Abort(words)
