"""Work pools and deployments on the Prefect server, made as prefect.yaml says."""

from collections.abc import Iterable
from inspect import signature
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectAlreadyExists
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from prefect.workers.process import ProcessWorker

from flows.service.fitting import settings_of
from flows.service.prefect_file import DeploymentConfig, PrefectFile, ScheduleConfig
from flows.settings import ProjectSettings, stage_values


def make_pools(client: SyncPrefectClient, names: Iterable[str]) -> None:
    """Make the work pools that are not there yet, of the process type; one that somebody set up otherwise stays."""
    known = {pool.name for pool in client.read_work_pools()}
    for name in sorted(set(names) - known):
        template = ProcessWorker.get_default_base_job_template()
        try:
            client.create_work_pool(WorkPoolCreate(name=name, type=ProcessWorker.type, base_job_template=template))
        except ObjectAlreadyExists:
            # A worker that starts at the same time makes it too.
            continue


def make_deployments(client: SyncPrefectClient, file: PrefectFile, settings: ProjectSettings) -> dict[str, UUID]:
    """Make or update every deployment; their ids by name. Forms begin with the project's settings."""
    return {entry.name: _make(client, entry, file.pull, settings) for entry in file.deployments}


def _make(
    client: SyncPrefectClient, entry: DeploymentConfig, pull: Iterable[dict[str, Any]], settings: ProjectSettings
) -> UUID:
    flow: Flow[Any, Any] = load_flow_from_entrypoint(entry.entrypoint, use_placeholder_flow=False)
    limit = entry.concurrency_limit
    return client.create_deployment(
        flow_id=client.create_flow_from_name(flow.name),
        name=entry.name,
        entrypoint=entry.entrypoint,
        pull_steps=list(pull),
        description=entry.description,
        tags=list(entry.tags),
        work_pool_name=entry.work_pool.name,
        job_variables=entry.work_pool.job_variables,
        schedules=[_schedule(schedule) for schedule in entry.schedules],
        concurrency_limit=limit.limit if limit else None,
        concurrency_options=_options(limit.collision_strategy) if limit else None,
        parameters=_parameters(flow, settings),
        parameter_openapi_schema=parameter_schema(flow).model_dump_for_openapi(),
        enforce_parameter_schema=True,
    )


def _parameters(flow: Flow[Any, Any], settings: ProjectSettings) -> dict[str, Any]:
    """What the form holds before anybody changes it: for a flow with settings, those of params.yaml."""
    default = next((one.default for one in signature(flow.fn).parameters.values() if one.name == "settings"), None)
    return {"settings": stage_values(settings_of(type(default), settings))} if default else {}


def _schedule(schedule: ScheduleConfig) -> DeploymentScheduleCreate:
    return DeploymentScheduleCreate(
        slug=schedule.slug,
        schedule=CronSchedule(cron=schedule.cron, timezone=schedule.timezone),
        active=schedule.active,
    )


def _options(strategy: str) -> ConcurrencyOptions:
    return ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy(strategy))
