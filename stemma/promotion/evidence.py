"""The evaluation of a policy: which bytes it names, on which prompts, by which judge, and what it found."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stemma.errors import ArtifactError
from stemma.evaluation.intervals import Interval
from stemma.evaluation.report import Report, flat_metrics
from stemma.evaluation.win_rate import win_rate
from stemma.lineage.index import Derivation, Index
from stemma.lineage.names import Model
from stemma.lineage.runs import EVALUATION
from stemma.lineage.show import PAIR_STAGES
from stemma.lineage.store import Store

PASSED_THROUGH = "inputs/round/policy/from-champion"
"""The input of an sft stage that passes the champion through."""

Scores = dict[str, list[float]]
"""A policy's scores for its sampled answers, by prompt."""


@dataclass(frozen=True)
class Evidence:
    """One evaluation of one policy."""

    policy: str
    """DVC id of the policy that was evaluated."""
    baselines: frozenset[str]
    """DVC ids of the policy that it was held against: the SFT artifact's and, in a round, the champion's."""
    evaluation: str
    """DVC id of the evaluation."""
    judge: str
    """Who scored: `gold`, or the DVC id of the judge's reward model."""
    prompts: str
    """sha256 over the evaluated prompts, so that two evaluations are known to be of the same set."""
    metrics: dict[str, float]
    tuned: Scores
    sft: Scores

    def named(self) -> dict[str, str]:
        """What it names, for the record."""
        return {
            "policy": self.policy, "evaluation": self.evaluation, "judge": self.judge, "prompts": self.prompts,
        }  # fmt: skip


def evidence_of(index: Index, store: Store, model: Model) -> Evidence:
    """The evaluation that names exactly this policy's bytes.

    Raises ArtifactError where there is none, or its bytes are neither in the cache nor on the remote.
    """
    policy = model.derivation.artifact
    evaluation = _evaluation(index, model)
    answers = store.read(evaluation.artifact, "answers.jsonl")
    report = store.read(evaluation.artifact, "report.json")
    if answers is None or report is None:
        raise ArtifactError(
            f"the evaluation of {model.title}, {evaluation.artifact}, is neither in the DVC cache nor on the remote; "
            f"`dvc exp pull` or `stemma verify {model.title} --repair` brings it back"
        )
    inputs = {dep.path.removeprefix("artifacts/"): dep.md5 for dep in index.inputs(evaluation)}
    kind = json.loads(report)["judge"]
    rows = [json.loads(line) for line in answers.splitlines()]
    return Evidence(
        policy=policy,
        baselines=_baselines(index, inputs["sft"]),
        evaluation=evaluation.artifact,
        judge=kind if kind == "gold" else inputs["judge"],
        prompts=_asked(store, inputs["data"], {row["prompt_id"] for row in rows}),
        metrics=_metrics(model, json.loads(report)),
        tuned=_scores(rows, "tuned"),
        sft=_scores(rows, "sft"),
    )


def win_rate_against(challenger: Evidence, champion: Evidence | None) -> Interval:
    """How often the challenger's answers score above the champion's to the same prompt, or above its own baseline's.

    Raises ArtifactError where the two evaluations cannot be compared: other prompts, or another judge.
    """
    if champion is None:
        theirs = challenger.sft
    else:
        for what, ours, other in (
            ("prompts", challenger.prompts, champion.prompts),
            ("judge", challenger.judge, champion.judge),
        ):
            if ours != other:
                raise ArtifactError(
                    f"the two evaluations cannot be compared: the challenger's {what} are {ours[:12]}, the champion's "
                    f"{other[:12]}; evaluate both with the same data and judge"
                )
        theirs = champion.tuned
    ids = sorted(challenger.tuned)
    return win_rate([challenger.tuned[key] for key in ids], [theirs[key] for key in ids]).interval


def _baselines(index: Index, sft: str) -> frozenset[str]:
    """An sft artifact's id, and the ids of the champions that were passed through to give it."""
    deps = [dep for made in index.of_artifact(sft) for dep in index.inputs(made)]
    return frozenset({sft, *(dep.md5 for dep in deps if dep.path == PASSED_THROUGH)})


def _asked(store: Store, data: str, ids: set[str]) -> str:
    """A hash of the evaluated prompts, with all that a judge is told of them."""
    content = store.read(data, "prompts.jsonl")
    if content is None:
        raise ArtifactError(
            f"the prompts of the evaluation, artifact {data}, are neither in the cache nor on the remote"
        )
    rows = [row for row in map(json.loads, content.splitlines()) if row["id"] in ids]
    return hashlib.sha256(json.dumps(sorted(rows, key=lambda row: row["id"])).encode()).hexdigest()


def _evaluation(index: Index, model: Model) -> Derivation:
    policy = model.derivation.artifact
    found = [derivation for _, derivation in index.made_from([policy]) if derivation.stage.startswith(EVALUATION)]
    own = index.of_run(model.run.commit)
    for derivation in found:
        if derivation in own.values():
            return derivation
    if not found:
        raise ArtifactError(
            f"no evaluation names the bytes of {model.title}, {policy}; run its flow to the end: "
            f"dvc exp apply {model.run.name} && dvc repro"
        )
    return found[-1]


def _metrics(model: Model, report: dict[str, Any]) -> dict[str, float]:
    """The evaluation's numbers from its own report, and those of what learned from pairs."""
    pairs: dict[str, float] = next(
        (model.run.metrics[stage] for stage in PAIR_STAGES if stage in model.run.metrics), {}
    )
    return pairs | flat_metrics(Report.model_validate(report))


def _scores(rows: Sequence[dict[str, Any]], policy: str) -> Scores:
    scores: Scores = defaultdict(list)
    for row in rows:
        if row["mode"] == "sampled":
            scores[row["prompt_id"]].append(row[policy]["score"])
    return dict(scores)
