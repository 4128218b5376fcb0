"""Promotion and rollback."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict

from stemma.errors import ArtifactError, StemmaError, WorkspaceError
from stemma.lineage.chain import ChainMovedError, Document, Link
from stemma.lineage.family import family_of
from stemma.lineage.forgotten import taints
from stemma.lineage.names import Model, model_of
from stemma.lineage.registering import register_shared
from stemma.lineage.registry import CHAMPION, PREVIOUS, TRIES, Version
from stemma.promotion.evidence import Evidence, evidence_of
from stemma.promotion.gates import Gate, check_gates
from stemma.promotion.move import Desk, Moved, begin, hear, move, note, stay

ALIAS = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
"""It names a file and an alias in MLflow."""
RESERVED = re.compile(rf"{PREVIOUS}|latest|v[0-9]+", re.IGNORECASE)


class RefusedError(StemmaError):
    """A promotion that is not to be."""


def promote(desk: Desk, model: Model, alias: str, reason: str, force: bool = False) -> Moved:
    """Move an alias to a registered version, if its evidence passes the gates and its bytes verify.

    With `force` failed gates and missing evidence do not hold it back; they are recorded with the act.
    Raises RefusedError where a gate fails, no evaluation names these bytes, or the model is tainted; ArtifactError
    where its bytes are not right; ChainMovedError where somebody else moved the alias meanwhile.
    """
    _check_alias(alias)
    begin(desk, reason)
    version = _registered(desk, model)
    head = desk.registry.head()
    now = desk.registry.at(head)
    if now.aliases.get(alias) == version.number:
        return stay(desk, alias, version)
    _check_taint(desk, model)
    desk.verify(model)
    champion = now.versions.get(now.aliases.get(alias, 0))
    evidence, gates = _judge(desk, model, model_of(desk.index, now, champion) if champion else None)
    failed = [gate for gate in gates if not gate.passed]
    act = {
        "act": "promote",
        "reason": reason,
        "forced": force,
        "against": champion.number if champion else "sft",
        "evidence": evidence.named() if evidence else {},
        "gates": [asdict(gate) for gate in gates],
        **desk.named(),
    }
    if failed and not force:
        _refuse(desk, version, alias, act)
        raise RefusedError(_refusal(model, failed, len(gates)))
    return move(desk, head, alias, version, act)


def roll_back(desk: Desk, to: Version | None, reason: str) -> Moved:
    """Put an earlier version back as champion: the one before the last promotion, unless `to` says which.

    Only the target's own bytes are checked, as they are laid out, so that it is quick and works where others are gone.
    Raises WorkspaceError where there is none to go back to, ArtifactError where its bytes are not right, RefusedError
    where it is tainted.
    """
    head = begin(desk, reason)
    now = desk.registry.at(head)
    if CHAMPION not in now.aliases:
        raise WorkspaceError(f"{now.name} has no champion to roll back from; `stemma promote` sets one")
    before = _before_the_last_promotion(desk.registry.acts())
    if to is None and before is None:
        raise WorkspaceError(f"{now.name} had no champion before this one; say which version: --to {now.name}/NUMBER")
    target = to or now.versions[before or 0]
    if now.aliases[CHAMPION] == target.number:
        return stay(desk, CHAMPION, target)
    _check_taint(desk, model_of(desk.index, now, target))
    return move(desk, head, CHAMPION, target, {"act": "rollback", "reason": reason, **desk.named()})


def _before_the_last_promotion(acts: Sequence[Link]) -> int | None:
    """The version that was champion before the last promotion to champion; None if there was none.

    The alias `previous` cannot tell: after a rollback it is the version that was rolled back.
    """
    promotions = [n for n, link in enumerate(acts) if link.act["act"] == "promote" and CHAMPION in link.act["moves"]]
    if not promotions or promotions[-1] == 0:
        return None
    before: int | None = acts[promotions[-1] - 1].state.get("aliases", {}).get(CHAMPION)
    return before


def _check_alias(alias: str) -> None:
    if not ALIAS.fullmatch(alias) or RESERVED.fullmatch(alias):
        raise WorkspaceError(
            f"{alias!r} is no alias to promote to; take champion, challenger or another name of letters, digits, '-' "
            f"and '_' ({PREVIOUS} follows the champion by itself; latest, v1, v2 … are MLflow's own)"
        )


def _registered(desk: Desk, model: Model) -> Version:
    """The model's version; a run's policy is registered now where a kill kept the run from doing so."""
    if model.version and model.registered == desk.registry.model:
        return model.version
    run, stage, artifact = model.run, model.derivation.stage, model.derivation.artifact
    for version in desk.registry.read().versions.values():
        if (version.commit, version.artifact) == (run.commit, artifact):
            return version
    meant_for = run.params.get("registry", {}).get("model")
    if (meant_for, run.trailers["Policy"]) == (desk.registry.model, f"{stage}={artifact}"):
        return register_shared(desk.root, desk.registry.model, run.name, run.commit, stage, artifact)[0]
    raise WorkspaceError(
        f"{model.title} is not a version of {desk.registry.model}; a flow registers the policy that it makes as a "
        "version of the model that its setting registry.model names. "
        f"The versions are {', '.join(f'{desk.registry.model}/{number}' for number in desk.registry.read().versions)}"
    )


def _check_taint(desk: Desk, model: Model) -> None:
    """A taint anywhere in the family holds it back: what was made of forgotten data since is no better."""
    tainted = taints(desk.root)
    for dvc_id, member in family_of(desk.index, model).members.items():
        if dvc_id in tainted:
            raise RefusedError(
                f"{model.title} is tainted by {member.name} {dvc_id} and must not serve: {tainted[dvc_id]}. "
                "`stemma forget … --plan` names the runs that make a clean one"
            )


def _judge(desk: Desk, model: Model, champion: Model | None) -> tuple[Evidence | None, list[Gate]]:
    """The evidence and its gates; evidence that is missing, or cannot be compared, is a gate that fails."""
    try:
        evidence = evidence_of(desk.index, desk.store, model)
        # A round's evaluation has the champion beside the policy, on the same prompts and by the same judge.
        beside = champion is None or champion.derivation.artifact in evidence.baselines
        theirs = None if beside or champion is None else evidence_of(desk.index, desk.store, champion)
        return evidence, check_gates(desk.config, evidence, theirs, "the champion" if champion else "SFT")
    except ArtifactError as error:
        return None, [Gate("evidence", passed=False, words=str(error))]


def _refuse(desk: Desk, version: Version, alias: str, act: Document) -> None:
    """Put the refusal on record; where that cannot be done just now, the person is told of it all the same.

    What others did while the evidence was looked at does not stand in the way: a refusal moves nothing.
    """
    title = f"refuse {desk.registry.model}/{version.number} as {alias}"
    with suppress(WorkspaceError):
        for _ in range(TRIES):
            with suppress(ChainMovedError):
                hear(desk.root, desk.registry)
                note(desk, desk.registry.head(), title, {**act, "act": "refuse", "alias": alias, "to": version.number})
                return


def _refusal(model: Model, failed: list[Gate], asked: int) -> str:
    told = "\n".join(f"  {gate.name}: {gate.words}" for gate in failed)
    return (
        f"{model.title} is not promoted, {len(failed)} of {asked} gates refuse:\n{told}\n"
        "The gates stand in params.yaml, section promotion; --force passes them by, on record"
    )
