"""The values of params.yaml with which a form was deployed; its schema on Prefect's server holds them."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.exceptions import ObjectNotFound

from stemma.config import Values

PARAMS = "x-params-yaml"
"""The keyword of the schema that holds them, section by section."""
DIGITS = 12


def version_of(schema: Mapping[str, Any]) -> str | None:
    """The version of a deployment with this schema: a digest of the values; None where the flow takes no settings."""
    if PARAMS not in schema:
        return None
    return sha256(json.dumps(schema[PARAMS], sort_keys=True).encode()).hexdigest()[:DIGITS]


def deployed_values() -> Values | None:
    """The values with which the form of the present flow run was deployed.

    Empty if the form was deployed again with other values after the run was asked for. None if no form started the
    run, or if its deployment was deleted or is older than this keyword.
    """
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None or run.deployment_id is None:
        return None
    try:
        with get_client(sync_client=True) as client:
            deployment = client.read_deployment(run.deployment_id)
    except ObjectNotFound:
        return None
    if deployment.version != run.deployment_version:
        return {}
    values: Values | None = (deployment.parameter_openapi_schema or {}).get(PARAMS)
    return values
