"""Work pools and deployments on the Prefect server, made as prefect.yaml says."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, VariableCreate, VariableUpdate, WorkPoolCreate
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions, DeploymentSchedule
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import MissingFlowError, ObjectAlreadyExists, ObjectNotFound
from prefect.flows import load_flow_from_entrypoint
from prefect.workers.process import ProcessWorker

from flows.service.deployed_values import version_of
from flows.service.form import form_schema, form_values
from flows.service.prefect_file import DeploymentConfig, PrefectFile, ScheduleConfig
from flows.settings import ProjectSettings
from stemma.errors import SettingsError

DEPLOYED = "stemma_deployments"
"""The variable on the server that names the deployments of the last deploy by their ids."""


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


def load_flows(file: PrefectFile) -> dict[str, Flow[Any, Any]]:
    """The flow of every deployment, by the deployment's name.

    Raises SettingsError naming every entrypoint that leads to no flow.
    """
    flows: dict[str, Flow[Any, Any]] = {}
    faults: list[str] = []
    for entry in file.deployments:
        try:
            flows[entry.name] = load_flow_from_entrypoint(entry.entrypoint, use_placeholder_flow=False)
        except (ImportError, MissingFlowError) as error:
            faults.append(f"  {entry.name}: entrypoint {entry.entrypoint}: {str(error).strip()}")
    if faults:
        raise SettingsError("\n".join([f"prefect.yaml names {len(faults)} flows that are not there:", *faults]))
    return flows


def make_deployments(
    root: Path,
    client: SyncPrefectClient,
    file: PrefectFile,
    flows: Mapping[str, Flow[Any, Any]],
    settings: ProjectSettings,
    say: Callable[[str], object],
) -> dict[str, UUID]:
    """Make or update every deployment, and delete those that the file no longer has; the ids of all by name.

    Forms begin with the project's settings. A schedule that is there stays switched as it is; where the file has it
    otherwise, `say` hears of it.
    """
    made = {
        entry.name: _make(root, client, entry, flows[entry.name], file.pull, settings, say)
        for entry in file.deployments
    }
    _drop_others(client, {str(made[name]): f"{flow.name}/{name}" for name, flow in flows.items()}, say)
    return made


def _make(
    root: Path,
    client: SyncPrefectClient,
    entry: DeploymentConfig,
    flow: Flow[Any, Any],
    pull: Iterable[dict[str, Any]],
    settings: ProjectSettings,
    say: Callable[[str], object],
) -> UUID:
    limit, schema = entry.concurrency_limit, form_schema(root, flow, settings)
    return client.create_deployment(
        flow_id=client.create_flow_from_name(flow.name),
        name=entry.name,
        version=version_of(schema),
        entrypoint=entry.entrypoint,
        pull_steps=list(pull),
        description=entry.description,
        tags=list(entry.tags),
        work_pool_name=entry.work_pool.name,
        job_variables=entry.work_pool.job_variables,
        schedules=_schedules(entry, _schedules_there(client, f"{flow.name}/{entry.name}"), say),
        concurrency_limit=limit.limit if limit else None,
        concurrency_options=_options(limit.collision_strategy) if limit else None,
        parameters=form_values(flow, settings),
        parameter_openapi_schema=schema,
        enforce_parameter_schema=True,
    )


def _drop_others(client: SyncPrefectClient, made: Mapping[str, str], say: Callable[[str], object]) -> None:
    """Delete what the last deploy made and this one did not; what people copied in the UI is theirs, and stays."""
    last = client.read_variable_by_name(DEPLOYED)
    before: Any = last.value if last else {}
    for there in before.keys() - made.keys():
        with suppress(ObjectNotFound):
            client.delete_deployment(UUID(there))
            say(f"no longer offered: {before[there]}")
    if last is None:
        client.create_variable(VariableCreate(name=DEPLOYED, value=dict(made)))
    elif before != made:
        client.update_variable(VariableUpdate(name=DEPLOYED, value=dict(made)))


def _schedules_there(client: SyncPrefectClient, name: str) -> list[DeploymentSchedule]:
    try:
        return client.read_deployment_by_name(name).schedules
    except ObjectNotFound:
        return []


def _schedules(
    entry: DeploymentConfig, there: Sequence[DeploymentSchedule], say: Callable[[str], object]
) -> list[DeploymentScheduleCreate]:
    """The schedules of an entry, and those that people added: Prefect deletes each that it is not given again."""
    switches = {one.slug: one.active for one in there}
    for schedule in entry.schedules:
        if switches.get(schedule.slug, schedule.active) != schedule.active:
            now = "off" if schedule.active else "on"
            say(f"{entry.name}: schedule {schedule.slug} is switched {now} at the server, and stays so")
    added = [
        DeploymentScheduleCreate(schedule=one.schedule, active=one.active, parameters=one.parameters)
        for one in there
        if not one.slug
    ]
    return [*(_schedule(one, switches.get(one.slug, one.active)) for one in entry.schedules), *added]


def _schedule(schedule: ScheduleConfig, active: bool) -> DeploymentScheduleCreate:
    return DeploymentScheduleCreate(
        slug=schedule.slug,
        schedule=CronSchedule(cron=schedule.cron, timezone=schedule.timezone),
        active=active,
    )


def _options(strategy: str) -> ConcurrencyOptions:
    return ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy(strategy))
