"""The page of a registered model in MLflow, from acts written by hand."""

from datetime import UTC, datetime
from typing import cast

import pytest
from mlflow.utils.validation import _validate_metric_name

from stemma.lineage.chain import Document, Link
from stemma.lineage.registry import applied, registered
from stemma.lineage.store import Store
from stemma.view import labelling_facts
from stemma.view.facts import PASSWORD
from stemma.view.model_page import LIMIT, model_description
from stemma.view.origin import Origin

GATES = [
    {"name": "win rate", "passed": True, "words": "0.618 against the champion"},
    {"name": "accuracy", "passed": False, "words": "0.9 → 0.6"},
]


def chain(*acts: Document) -> list[Link]:
    """The acts as links, a minute apart."""
    links: list[Link] = []
    for minute, act in enumerate(acts):
        state = applied(links[-1].state if links else {}, act)
        links.append(Link("c", "Tess <tess@localhost>", datetime(2026, 1, 1, 0, minute, tzinfo=UTC), "", act, state))
    return links


def register(number: int) -> Document:
    return {
        "act": "register",
        "version": {"number": number, "run": "r", "commit": "c", "stage": "ppo", "artifact": "a"},
    }


def described(*acts: Document) -> str:
    links = chain(*acts)
    return model_description(registered("policy", links[-1].state), links, [], {})


def test_a_model_without_a_champion_says_so() -> None:
    assert described(register(1)).endswith("No champion yet (`stemma promote`).")


def test_a_refusal_stands_with_its_reason_and_its_gates() -> None:
    told = described(
        register(1),
        {"act": "promote", "moves": {"champion": 1}, "reason": "the first", "asked_by": "ada"},
        register(2),
        {"act": "refuse", "alias": "champion", "to": 2, "reason": "newer", "gates": GATES},
    )
    assert (
        "**Champion: [policy/1](#/models/policy/versions/1)**, 2026-01-01 00:01 UTC, by Tess, requested by ada. "
        "Reason: the first\n\nNo version was champion before." in told
    )
    assert told.endswith(
        "- **refuse** [policy/1](#/models/policy/versions/1) → [policy/2](#/models/policy/versions/2) (champion), "
        "2026-01-01 00:03 UTC, by Tess. Reason: newer\n  - gate win rate passed: 0.618 against the champion\n"
        "  - gate accuracy **failed**: 0.9 → 0.6\n"
        "- **promote** [policy/1](#/models/policy/versions/1) (champion), 2026-01-01 00:01 UTC, by Tess, requested by "
        "ada. Reason: the first"
    )


def test_a_long_history_fits_mlflow_and_counts_what_it_leaves_out() -> None:
    moves = [
        {"act": "promote", "moves": {"champion": 1 + n % 2}, "reason": "x" * 400, "gates": GATES} for n in range(40)
    ]
    told = described(register(1), register(2), *moves)
    assert len(told) <= LIMIT
    shown = sum(line.startswith("- **promote") for line in told.splitlines())
    assert told.endswith(f"\n\n{40 - shown} earlier: `stemma history champion`")


def test_hundreds_of_annotators_fit_mlflow() -> None:
    labelled = {f"annotator-{number:03}": 100 for number in range(400)}
    origin = Origin(
        base="", data=tuple(f"file-{number}.jsonl" for number in range(400)), labellers=labelled, changed={}
    )
    links = chain(register(1), {"act": "promote", "moves": {"champion": 1}, "reason": "the first"})
    told = model_description(registered("policy", links[-1].state), links, origin.paragraphs(), {1: list(labelled)})
    assert len(told) <= LIMIT
    assert "the first" in told.split("## Promotions")[1]


@pytest.mark.parametrize("name", ["..", ".", "a//b", "ada/", "/x", "", "Zoë", "n" * 400])
def test_mlflow_takes_a_metric_of_every_annotator(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelling_facts, "labellers", lambda *_: {name: 3})
    _, metrics = labelling_facts.labelling_facts(cast("Store", None), "label", "id")
    (key,) = [key for key in metrics if key.startswith(labelling_facts.BY)]
    _validate_metric_name(key)  # type: ignore[no-untyped-call]
    assert len(key) <= 250


def test_no_part_of_a_password_is_shown() -> None:
    assert PASSWORD.sub("", "https://u:p@s/s@host/r.git") == "https://host/r.git"
