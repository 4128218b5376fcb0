"""Prefect's automations: what is to happen by itself."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, ResumeFlowRun, RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from flows.events import BATCH_ENDED, DATA_CHANGED, STARTS_ROUND, VERDICTS_ARRIVED, WAITING
from flows.service.prefect_file import RetrainOnConfig
from flows.service.services import SECONDS_BETWEEN_BEATS

OURS = "stemma: "
"""How the name of every automation of ours begins; one of that name that is no longer wanted is removed."""
HEARTBEAT = "prefect.flow-run.heartbeat"
MISSED_BEATS = 12
"""So many that a machine which does nothing else for a minute and a half is not taken for dead."""
TRIES = 5
"""How often a run begins at most; one that dies each time is left to a person."""


def make_automations(client: SyncPrefectClient, automations: Iterable[AutomationCore]) -> list[str]:
    """Make or update every automation and remove those of ours that are not wanted any more; the names of all."""
    wanted = {one.name: one for one in automations}
    there = {one.name: one for one in client.read_automations() if one.name.startswith(OURS)}
    for name, automation in wanted.items():
        if name not in there:
            client.create_automation(automation)
        elif _facts(there[name]) != _facts(automation):
            client.update_automation(there[name].id, automation)
    for name in there.keys() - wanted:
        client.delete_automation(there[name].id)
    return sorted(wanted)


def care_for_runs(deployments: Iterable[str]) -> list[AutomationCore]:
    """What keeps runs going: one that waits is resumed, one whose machine died goes on elsewhere."""
    return [_resume(), notice_death(), _again(sorted(deployments))]


def start_rounds(on: RetrainOnConfig, retrain: UUID | None) -> list[AutomationCore]:
    """What starts a round of retraining, where anything is to: whatever comes within a minute starts one and not more.

    `retrain` is the id of the deployment, where it is offered.
    """
    if retrain is None:
        return []
    events = {BATCH_ENDED: on.batch_ended, VERDICTS_ARRIVED: on.verdicts, DATA_CHANGED: on.data_changed}
    expected = {name for name, wanted in events.items() if wanted}
    automation = AutomationCore(
        name=f"{OURS}a round of retraining starts by itself",
        trigger=EventTrigger(
            expect=expected,
            match=ResourceSpecification({f"prefect.resource.{key}": value for key, value in STARTS_ROUND.items()}),
            posture=Posture.Reactive,
            threshold=1,
            within=timedelta(minutes=1),
        ),
        actions=[RunDeployment(deployment_id=retrain)],
    )
    return [automation] if expected else []


def _resume() -> AutomationCore:
    return AutomationCore(
        name=f"{OURS}a run goes on once its batch of labels has ended",
        trigger=EventTrigger(
            expect={BATCH_ENDED},
            match_related=ResourceSpecification({"prefect.resource.role": WAITING}),
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[ResumeFlowRun()],
    )


def notice_death(silence: int = MISSED_BEATS * SECONDS_BETWEEN_BEATS) -> AutomationCore:
    """A run of which nothing is heard for so many seconds has crashed: its machine is dead, or cut off."""
    return AutomationCore(
        name=f"{OURS}a run whose machine died is noticed",
        description=f"A run at work is heard of every {SECONDS_BETWEEN_BEATS} s.",
        trigger=EventTrigger(
            after={HEARTBEAT},
            expect={"prefect.flow-run.*"},
            match=_any_run(),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=silence),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message=f"Nothing was heard of this run for {silence} s: its machine died, or is cut off.",
            )
        ],
    )


def _again(deployments: list[str]) -> AutomationCore:
    """A run that crashed is put back, so that another worker goes on with it; not one that never began.

    Prefect counts how often a run began, so no run is put back for ever.
    """
    counts = [str(number) for number in range(1, TRIES)]
    return AutomationCore(
        name=f"{OURS}a run that crashed goes on at another worker",
        description=f"A run that crashed {TRIES} times is left as it is.",
        trigger=EventTrigger(
            expect={"prefect.flow-run.Crashed"},
            match=ResourceSpecification({**_any_run().root, "prefect.run-count": counts}),
            match_related=ResourceSpecification(
                {"prefect.resource.role": ["deployment"], "prefect.resource.name": deployments}
            ),
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.SCHEDULED,
                message="It crashed, or its machine died; the next worker that is free goes on with it.",
            )
        ],
    )


def _any_run() -> ResourceSpecification:
    return ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]})


def _facts(automation: AutomationCore) -> Any:
    """What is compared: an update would make Prefect forget which runs it waits to hear of."""
    return _without_ids(automation.model_dump(mode="json", include=set(AutomationCore.model_fields)))


def _without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_ids(inner) for key, inner in value.items() if key != "id"}
    if isinstance(value, list):
        inner = [_without_ids(one) for one in value]
        return sorted(inner) if all(isinstance(one, str) for one in inner) else inner
    return value
