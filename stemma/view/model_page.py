"""The page of a registered model in MLflow: its champion, what was champion before, and every act with its reason."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from stemma.lineage.chain import Link
from stemma.lineage.registry import CHAMPION, PREVIOUS, Registered

INTRODUCTION = "Policies aligned by Stemma. Git holds the record (`stemma history`), MLflow shows it."
ACTS = ("promote", "rollback", "refuse")
LIMIT = 4900
"""MLflow's database has room for 5000 characters."""
LABELLERS_LIMIT = 1500
REASON_LIMIT = 300

ADDRESS = re.compile(r" <[^<>]*@[^<>]*>")
"""An author's address, which the tags hold."""


def model_description(
    now: Registered, acts: Sequence[Link], champion: Sequence[str], labelled: Mapping[int, Sequence[str]]
) -> str:
    """The description of a registered model, in Markdown.

    `champion` says what the champion was made from, `labelled` who labelled what each version learned from.
    The newest acts come first; those for which MLflow has no room are counted.
    """
    entries = [entry for before, link in _pairs(acts) if (entry := _entry(now.name, before, link))][::-1]
    text = "\n\n".join([INTRODUCTION, *_champion(now, acts), *champion, *_labellers(now, labelled)])[:LIMIT]
    if not entries:
        return text
    text += "\n\n## Promotions, rollbacks and refusals, the newest first\n"
    for number, entry in enumerate(entries):
        last = f"\n\n{len(entries) - number} earlier: `stemma history champion`"
        if len(text) + len(entry) + len(last) > LIMIT:
            return text + last
        text += f"\n{entry}"
    return text


def _champion(now: Registered, acts: Sequence[Link]) -> list[str]:
    """The champion and the reason, and what was champion before."""
    if CHAMPION not in now.aliases:
        return ["No champion yet (`stemma promote`)."]
    before, link = next(pair for pair in reversed(_pairs(acts)) if CHAMPION in pair[1].act.get("moves", {}))
    old = (before.state if before else {}).get("aliases", {}).get(CHAMPION)
    was = f"{_version(now.name, old)} was champion before." if old else "No version was champion before."
    return [f"**Champion: {_version(now.name, now.aliases[CHAMPION])}**, {_signed(link)}", was]


def _labellers(now: Registered, labelled: Mapping[int, Sequence[str]]) -> list[str]:
    """Which versions descend from whose labels: what withdrawing an annotator touches."""
    touched: dict[str, list[str]] = {}
    for number in sorted(labelled, reverse=True):
        alias = f" ({', '.join(now.aliases_of(number))})" if now.aliases_of(number) else ""
        for name in labelled[number]:
            touched.setdefault(name, []).append(_version(now.name, number) + alias)
    lines = [f"- {name}: {', '.join(versions)}" for name, versions in sorted(touched.items())]
    text, more = "", "\n- more: `stemma impact --annotator NAME`"
    for line in lines:
        if len(text) + len(line) > LABELLERS_LIMIT:
            text += more
            break
        text += f"\n{line}"
    return [f"## Annotators, and the versions that descend from their labels\n{text}"] if lines else []


def _entry(name: str, before: Link | None, link: Link) -> str:
    """One act as an item of a list; empty if it neither moved an alias nor refused to."""
    act = link.act
    if act["act"] not in ACTS:
        return ""
    alias = act.get("alias") or next((alias for alias in act.get("moves", {}) if alias != PREVIOUS), CHAMPION)
    number = act.get("moves", {}).get(alias, act.get("to"))
    old = (before.state if before else {}).get("aliases", {}).get(alias)
    change = f"{_version(name, old)} → {_version(name, number)}" if old else _version(name, number)
    forced = " by force" if act.get("forced") else ""
    gates = "".join(f"\n  - {_gate(gate)}" for gate in act.get("gates", ()))
    return f"- **{act['act']}{forced}** {change} ({alias}), {_signed(link)}{gates}"


def _signed(link: Link) -> str:
    asked = f", requested by {link.act['asked_by']}" if link.act.get("asked_by") else ""
    reason = " ".join(str(link.act.get("reason", "")).split())
    short = reason if len(reason) <= REASON_LIMIT else f"{reason[:REASON_LIMIT]}…"
    return f"{link.when:%Y-%m-%d %H:%M} UTC, by {ADDRESS.sub('', link.author)}{asked}. Reason: {short}"


def _gate(gate: Mapping[str, Any]) -> str:
    return f"gate {gate['name']} {'passed' if gate['passed'] else '**failed**'}: {gate['words']}"


def _version(name: str, number: int | None) -> str:
    return f"[{name}/{number}](#/models/{name}/versions/{number})"


def _pairs(acts: Sequence[Link]) -> list[tuple[Link | None, Link]]:
    """Each act with the act before it."""
    return list(zip([None, *acts], acts, strict=False))
