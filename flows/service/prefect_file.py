"""prefect.yaml: what the Prefect UI offers, in the words that `prefect deploy` reads too."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from stemma.config import Settings, parse_settings, read_yaml

FILE = "prefect.yaml"


class PoolConfig(Settings):
    """Where the runs of a deployment go."""

    name: str
    """The work pool."""
    job_variables: dict[str, Any] = Field(default_factory=dict)
    """What the pool's workers are told."""


class ScheduleConfig(Settings):
    """When a deployment runs by itself."""

    slug: str
    """The schedule's name; one that keeps it is updated."""
    cron: str
    """Minute, hour, day of the month, month, day of the week."""
    timezone: str = "UTC"
    """Whose hours these are."""
    active: bool = True
    """Whether it runs when it is new; after that, the switch in the Prefect UI says so."""

    @field_validator("cron")
    @classmethod
    def _is_cron(cls, value: str) -> str:
        return _taken_by_prefect(value, cron=value)

    @field_validator("timezone")
    @classmethod
    def _is_timezone(cls, value: str) -> str:
        return _taken_by_prefect(value, cron="@daily", timezone=value)


class LimitConfig(Settings):
    """How many runs of a deployment may be at work at once."""

    limit: int = Field(ge=1)
    """How many."""
    collision_strategy: Literal["ENQUEUE", "CANCEL_NEW"]
    """What becomes of one more: it waits, or it is dropped."""


class DeploymentConfig(Settings):
    """One entry of the Prefect UI's list of deployments."""

    name: str
    """Its name, and its flow's."""
    entrypoint: str = Field(pattern=r"^\w+(\.\w+)+$")
    """The flow, as a module path; a file path would be the deploying machine's."""
    description: str
    """What it does, in a sentence."""
    tags: tuple[str, ...] = ()
    """What every run of it is tagged with."""
    work_pool: PoolConfig
    """Where its runs go."""
    schedules: tuple[ScheduleConfig, ...] = ()
    """When it runs by itself."""
    concurrency_limit: LimitConfig | None = None
    """How many of its runs may be at work at once."""


class RetrainOnConfig(Settings):
    """What starts `retrain` by itself, besides its schedule; what comes within a minute starts one round."""

    batch_ended: bool = False
    """A batch of labels that no run asked for is closed."""
    verdicts: int | None = Field(None, ge=1)
    """So many verdicts came since the last round began, to batches that no run asked for; empty: never."""
    data_changed: bool = False
    """The newest commit has other raw data than the last round started with; looked at by each `reconcile`."""


Happening = Literal["failure", "promotion", "refusal", "rollback", "waiting"]


class NotificationConfig(Settings):
    """Who is told of what."""

    kind: Literal["webhook", "slack", "email"]
    """How: a POST of JSON, Slack's incoming webhook, or mail."""
    address: str = Field(pattern=r"^[A-Z][A-Z0-9_]*$")
    """The environment variable that holds the address when `stemma deploy` runs: a URL, Slack's webhook, or
    mailtos://USER:PASSWORD@SERVER?to=ADDRESS. Prefect's server keeps it encrypted; no file here holds it."""
    of: tuple[Happening, ...] = Field(("failure", "promotion", "refusal", "rollback", "waiting"), min_length=1)
    """Which happenings: a run failed, an alias moved, the gates refused, a rollback, a run waits for labels."""


class PrefectFile(Settings):
    """The whole file."""

    name: str
    """Of the project."""
    pull: tuple[dict[str, Any], ...]
    """How a worker comes to the code."""
    definitions: dict[str, Any] = Field(default_factory=dict)
    """What is written once and meant in several places."""
    deployments: tuple[DeploymentConfig, ...]
    """What is offered."""
    retrain_on: RetrainOnConfig = RetrainOnConfig()
    """What starts a round by itself."""
    notifications: tuple[NotificationConfig, ...] = ()
    """Who is told of what."""


def _taken_by_prefect(value: str, **schedule: str) -> str:
    """The value, where Prefect makes a schedule of it.

    Raises ValueError with Prefect's own words where it does not.
    """
    from prefect.client.schemas.schedules import CronSchedule

    try:
        CronSchedule.model_validate(schedule)
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
    return value


def read_prefect_file(root: Path) -> PrefectFile:
    """Read prefect.yaml.

    Raises SettingsError listing every fault.
    """
    return parse_settings(PrefectFile, read_yaml(root / FILE), FILE)
