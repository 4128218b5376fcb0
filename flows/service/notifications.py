"""Notifications: automations of Prefect's that tell a webhook, Slack or a mailbox what happened.

The addresses are secrets. They come from the environment of `stemma deploy`, and lie in blocks, which Prefect encrypts.
"""

import os
from collections.abc import Mapping, Sequence
from uuid import UUID

from prefect.blocks.core import Block
from prefect.blocks.notifications import SlackWebhook
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import SyncPrefectClient
from prefect.events.actions import ActionTypes, CallWebhook, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.types import SecretDict
from pydantic import SecretStr

from flows.events import LABELS_WANTED, PROMOTED, REFUSED, ROLLED_BACK
from flows.pages import page_key
from flows.service.automations import OURS
from flows.service.prefect_file import Happening, NotificationConfig
from stemma.errors import SettingsError

EVENTS: Mapping[Happening, set[str]] = {
    "failure": {"prefect.flow-run.Failed", "prefect.flow-run.Crashed"},
    "promotion": {PROMOTED},
    "refusal": {REFUSED},
    "rollback": {ROLLED_BACK},
    "waiting": {LABELS_WANTED},
}
OUR_WORDS = "{{ event.payload.words }}"
RUNS_WORDS = "{{ flow.name }} {{ flow_run.name }} is {{ flow_run.state.name }}: {{ flow_run.state.message }}"
BLOCKS = "stemma-notifies"
"""How the name of every block of ours begins."""


def check_addresses(notifications: Sequence[NotificationConfig]) -> None:
    """Raise SettingsError naming every environment variable that has no address."""
    empty = [one.address for one in notifications if not os.environ.get(one.address)]
    if empty:
        raise SettingsError(
            f"prefect.yaml, notifications: the environment has no {', '.join(empty)}; set it to the address, or take "
            "the entry out"
        )


def make_addresses(client: SyncPrefectClient, notifications: Sequence[NotificationConfig]) -> list[UUID]:
    """Keep the addresses in blocks, whose ids are returned in order; blocks of ours that nobody wants any more go."""
    wanted = [page_key(f"{BLOCKS}-{one.kind}", one.address) for one in notifications]
    for kind in (Webhook, SlackWebhook):
        for there in client.read_block_documents_by_type(kind.get_block_type_slug(), include_secrets=False):
            if there.name and there.name.startswith(BLOCKS) and there.name not in wanted:
                client.delete_block_document(there.id)
    return [_kept(one, name) for one, name in zip(notifications, wanted, strict=True)]


def notify(
    notifications: Sequence[NotificationConfig], blocks: Sequence[UUID], deployments: Sequence[str]
) -> list[AutomationCore]:
    """An automation for each happening that somebody is told of; `blocks` are the ids of the addresses."""
    return [
        _automation(one, block, happening, deployments)
        for one, block in zip(notifications, blocks, strict=True)
        for happening in one.of
    ]


def _kept(one: NotificationConfig, name: str) -> UUID:
    address = SecretStr(os.environ[one.address])
    json = SecretDict({"Content-Type": "application/json"})
    # Prefect has no block for a mail server of one's own; Slack's hands what is not Slack's to Apprise, which sends it.
    block: Block = Webhook(url=address, headers=json) if one.kind == "webhook" else SlackWebhook(url=address)
    return UUID(str(block.save(name, overwrite=True)))


def _automation(
    one: NotificationConfig, block: UUID, happening: Happening, deployments: Sequence[str]
) -> AutomationCore:
    ours = happening != "failure"
    of_deployment = {"prefect.resource.role": ["deployment"], "prefect.resource.name": list(deployments)}
    return AutomationCore(
        name=f"{OURS}{one.kind} {one.address} is told of a {happening}",
        trigger=EventTrigger(
            expect=EVENTS[happening],
            match_related=ResourceSpecification({} if ours else of_deployment),
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[_action(one, block, happening, OUR_WORDS if ours else RUNS_WORDS)],
    )


def _action(one: NotificationConfig, block: UUID, happening: Happening, words: str) -> ActionTypes:
    if one.kind != "webhook":
        return SendNotification(block_document_id=block, subject=f"Stemma: {happening}", body=words)
    # JSON of what the template makes of the words, quotes and new lines and all.
    payload = '{"happening": "' + happening + '", "words": {% filter tojson %}' + words + "{% endfilter %}}"
    return CallWebhook(block_document_id=block, payload=payload)
