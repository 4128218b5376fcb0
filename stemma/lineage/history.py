"""Every move of an alias, as the registered model's chain tells it."""

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from stemma.errors import WorkspaceError
from stemma.lineage.chain import Document
from stemma.lineage.names import check_registered
from stemma.lineage.registry import Registry, applied


@dataclass(frozen=True)
class Move:
    """One move of an alias."""

    when: datetime
    who: str
    """Whose Git identity the act has: a person's, or a worker's."""
    asked_by: str
    """For whom a worker acted, as they named themselves in Prefect's form; empty where nobody did."""
    act: str
    """promote or rollback."""
    before: str
    """The version that had the alias; empty where none had."""
    after: str
    reason: str
    forced: bool
    evidence: dict[str, str]
    """What the decision rests on: ids of policy, evaluation and judge, and the hash of the prompts."""
    gates: tuple[dict[str, Any], ...]
    commit: str
    """The commit of the act."""


def moves_of(root: Path, model: str, alias: str) -> list[Move]:
    """Every move of an alias, oldest first.

    Raises WorkspaceError where there is no such model or alias, or where an act and what holds since do not fit:
    somebody wrote the chain by hand.
    """
    check_registered(root, model)
    registry = Registry(root, model)
    moves: list[Move] = []
    state: Document = {}
    for link in registry.acts():
        after = applied(state, link.act)
        if after != link.state:
            raise WorkspaceError(
                f"the history of {model} does not add up at commit {link.commit[:10]}, {link.title!r}: what it says "
                f"holds since is not what the act makes of what held before. Compare with the remote's {registry.ref}"
            )
        if alias in link.act.get("moves", {}):
            old = state.get("aliases", {}).get(alias)
            moves.append(
                Move(
                    link.when,
                    link.author,
                    link.act.get("asked_by", ""),
                    link.act["act"],
                    f"{model}/{old}" if old else "",
                    f"{model}/{link.act['moves'][alias]}",
                    link.act.get("reason", ""),
                    bool(link.act.get("forced")),
                    link.act.get("evidence", {}),
                    tuple(link.act.get("gates", ())),
                    link.commit,
                )
            )
        state = after
    if not moves:
        known = ", ".join(state.get("aliases", {})) or "none yet"
        raise WorkspaceError(
            f"no alias {alias!r} of {model} ever moved; there is: {known}. `stemma promote VERSION --to ALIAS` sets one"
        )
    return moves


def moves_page(moves: list[Move]) -> str:
    """The moves for people, newest first."""
    lines = []
    for move in reversed(moves):
        forced = ", forced" if move.forced else ""
        lines += [
            f"{move.when:%Y-%m-%d %H:%M:%S} UTC  {move.act}{forced}  {move.before or 'nothing'} → {move.after}",
            f"  by {move.who}{f', asked by {move.asked_by}' if move.asked_by else ''}: {move.reason}",
        ]
        lines += [f"  {gate['name']}: {gate['words']}{'' if gate['passed'] else '  REFUSED'}" for gate in move.gates]
        lines.append(f"  act {move.commit[:10]}" + (_names(move.evidence) if move.evidence else ""))
    return "\n".join(lines)


def moves_json(moves: list[Move]) -> list[dict[str, Any]]:
    """The moves as plain values, oldest first."""
    return [{**asdict(move), "when": move.when.isoformat()} for move in moves]


def _names(evidence: dict[str, str]) -> str:
    named = ", ".join(f"{what} {oid[:10]}" for what, oid in sorted(evidence.items()))
    return f", evidence: {named}"
