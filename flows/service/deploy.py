"""`stemma deploy`: pools, deployments and automations on the Prefect server, as the project's files say."""

import os
from pathlib import Path

from flows.service.prefect_file import read_prefect_file
from flows.service.services import POOLS, PREFECT_API
from flows.service.stack import running_prefect
from flows.settings import load_settings
from stemma.errors import ServiceError


def deploy(root: Path) -> str:
    """Make or update all of it, and return what a person is to know; twice does no more than once.

    Raises SettingsError where a file has faults or an address is missing; ServiceError where no server does what is
    asked of it.
    """
    file, settings = read_prefect_file(root), load_settings(root, None, [])
    api = os.environ.get(PREFECT_API) or running_prefect(root)
    if api is None:
        raise ServiceError(f"there is no Prefect server; start one with `stemma up`, or name one in {PREFECT_API}")
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectHTTPStatusError
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows.service.automations import care_for_runs, make_automations, start_rounds
    from flows.service.deployments import load_flows, make_deployments, make_pools
    from flows.service.notifications import check_addresses, make_addresses, notify

    check_addresses(file.notifications)
    flows = load_flows(file)
    changed: list[str] = []
    try:
        with temporary_settings({PREFECT_API_URL: api}), get_client(sync_client=True) as client:
            make_pools(client, {*POOLS, *(entry.work_pool.name for entry in file.deployments)})
            deployments = make_deployments(root, client, file, flows, settings, changed.append)
            addresses = make_addresses(client, file.notifications)
            automations = make_automations(
                client,
                [
                    *care_for_runs(deployments),
                    *start_rounds(file.retrain_on, deployments.get("retrain")),
                    *notify(file.notifications, addresses, sorted(deployments)),
                ],
            )
    except PrefectHTTPStatusError as error:
        raise ServiceError(f"Prefect's server at {api} refuses: {error.response.text}") from error
    except httpx.HTTPError as error:
        raise ServiceError(f"Prefect's server at {api} does not answer: {error}") from error
    offered = [f"deployments: {', '.join(deployments)}", *changed]
    return "\n".join([*offered, "automations:", *(f"  {one}" for one in automations)])
