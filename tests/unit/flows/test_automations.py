"""What prefect.yaml's blocks become: automations that start rounds, and that tell people."""

import json
from typing import Any
from uuid import uuid4

import pytest
from prefect.server.events.schemas.automations import Automation
from prefect.server.utilities.user_templates import render_user_template_sync

from flows.events import BATCH_ENDED, DATA_CHANGED
from flows.service.automations import start_rounds
from flows.service.notifications import check_addresses, notify
from flows.service.prefect_file import NotificationConfig, RetrainOnConfig
from stemma.config import parse_settings
from stemma.errors import SettingsError

WEBHOOK = NotificationConfig(kind="webhook", address="HOOK", of=("refusal",))
MAIL = NotificationConfig(kind="email", address="MAIL")


def test_a_round_starts_by_itself_only_where_that_is_switched_on() -> None:
    assert start_rounds(RetrainOnConfig(), uuid4()) == []
    assert start_rounds(RetrainOnConfig(batch_ended=True), None) == []
    (automation,) = start_rounds(RetrainOnConfig(batch_ended=True, data_changed=True), uuid4())
    trigger: Any = automation.trigger
    assert trigger.expect == {BATCH_ENDED, DATA_CHANGED}
    # One window for all: a second event within it starts nothing.
    assert (trigger.for_each, trigger.within.total_seconds()) == (set(), 60)


def test_an_automation_for_each_happening() -> None:
    made = notify([WEBHOOK, MAIL], [uuid4(), uuid4()], ["dpo"])
    assert [one.name for one in made] == [
        "stemma: webhook HOOK is told of a refusal",
        *(f"stemma: email MAIL is told of a {what}" for what in ("failure", "promotion", "refusal", "rollback")),
        "stemma: email MAIL is told of a waiting",
    ]
    for one in made:
        Automation.model_validate(one.model_dump(mode="json"))


def test_a_webhook_gets_json_whatever_the_words_are() -> None:
    (made,) = notify([WEBHOOK], [uuid4()], ["dpo"])
    action: Any = made.actions[0]
    words = 'two gates refuse:\n  "win rate": < 0.5 \\ é'
    rendered = render_user_template_sync(action.payload, {"event": {"payload": {"words": words}}})
    assert json.loads(rendered) == {"happening": "refusal", "words": words}


def test_an_address_that_is_not_in_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL", "mailto://secret@example.org")
    monkeypatch.delenv("HOOK", raising=False)
    with pytest.raises(SettingsError, match="the environment has no HOOK;"):
        check_addresses([WEBHOOK, MAIL])


def test_an_address_itself_has_no_place_in_the_file() -> None:
    entry = {"kind": "slack", "address": "https://hooks.slack.com/services/x"}
    with pytest.raises(SettingsError, match=r"address: .*pattern"):
        parse_settings(NotificationConfig, entry, "prefect.yaml")
