"""A round of retraining before it begins: the champion that it starts from, and what earlier rounds left it."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from flows.settings import RetrainSettings
from stemma.errors import WorkspaceError
from stemma.labelling.earlier import EARLIER as LABELS
from stemma.labelling.earlier import count_rounds
from stemma.lineage.index import Index, open_index
from stemma.lineage.names import model_of
from stemma.lineage.policy_files import with_bases
from stemma.lineage.registry import Registry
from stemma.lineage.rounds import FLOW, labels_trailer
from stemma.lineage.runs import Run
from stemma.lineage.store import Store
from stemma.lineage.taken import take_artifacts
from stemma.promotion.move import hear
from stemma.records.jsonl import read_rows
from stemma.records.types import Comparison
from stemma.stage.definition import ARTIFACTS
from tasks.reward import EARLIER as REWARD
from tasks.sft import CHAMPION


@dataclass(frozen=True)
class Round:
    """What one round starts with."""

    number: int
    parent: str
    """The version that it starts from: policy/4."""
    method: str
    inputs: Mapping[str, str]
    """The artifacts that it takes in: DVC id by place in the workspace."""

    def settings(self, settings: RetrainSettings) -> RetrainSettings:
        """The settings of the round's stages."""
        earlier, start = str(LABELS) in self.inputs, "earlier" if str(REWARD) in self.inputs else "sft"
        changes = {
            "sft": settings.sft.model_copy(update={"source": "champion"}),
            "sample": settings.sample.model_copy(update={"round": self.number}),
            "label": settings.label.model_copy(update={"earlier": "round" if earlier else "none"}),
            "reward": settings.reward.model_copy(update={"start_from": start}),
        }
        return settings.model_copy(update=changes)

    def named(self) -> dict[str, str]:
        """What tells it from other rounds, for the record."""
        return {"Round": str(self.number), "Parent": self.parent, "Method": self.method}

    def as_begun(self, facts: Mapping[str, str]) -> "Round":
        """The round as it was when its flow run first began, whoever became champion since; its inputs are in place."""
        return Round(int(facts["Round"]), facts["Parent"], facts["Method"], {})

    def facts(self, workspace: Path) -> dict[str, str]:
        """What stands on record of the round, once its stages are done in a workspace."""
        labels = read_rows(workspace / ARTIFACTS / "label" / "comparisons.jsonl", Comparison)
        return {**self.named(), "Labels": labels_trailer(count_rounds(labels))}


def begin_round(root: Path, settings: RetrainSettings) -> Round:
    """Find the champion and the round before, other clones heard first where their remote answers.

    Raises WorkspaceError where there is no champion to start from.
    """
    registry, alias, method = Registry(root, settings.registry.model), settings.round.alias, settings.round.method
    hear(root, registry, urgent=True)
    now = registry.read()
    if alias not in now.aliases:
        raise WorkspaceError(
            f"{now.name} has no {alias} to start a round from. Make a policy with `stemma run {method}`, look at it "
            f'with `stemma show`, and let it serve: `stemma promote RUN --to {alias} --reason "…"`'
        )
    with closing(open_index(root)) as index, Store(root) as store:
        parent = model_of(index, now, now.versions[now.aliases[alias]])
        rounds = [run for run in index.runs() if run.flow == FLOW and run.trailers["Parent"].startswith(f"{now.name}/")]
        before = max([parent.run, *rounds], key=lambda run: run.created)
        before = before if settings.round.goes_on_from == "latest" else parent.run
        inputs = with_bases(index, store, parent.derivation, str(CHAMPION)) | _left(index, store, before, settings)
        number = 1 + max((int(run.trailers["Round"]) for run in rounds), default=0)
        return Round(number, f"{now.name}/{now.aliases[alias]}", method, inputs)


def take_inputs(root: Path, workspace: Path, this_round: Round | None) -> None:
    """Lay out a round's inputs in its workspace; a run that is no round has none.

    Raises ArtifactError where one is neither in the cache nor on the remote.
    """
    if this_round:
        with Store(root) as store:
            take_artifacts(workspace, store, this_round.inputs)


def _left(index: Index, store: Store, before: Run, settings: RetrainSettings) -> dict[str, str]:
    """What a run left for the round after it: labels, and a reward model where it is to be trained further."""
    made = index.of_run(before.commit)
    left = {str(LABELS): made["label"].artifact} if settings.label.earlier_decay else {}
    warm = settings.round.warm_start and settings.round.method == "rlhf" and settings.reward.tuning == "full"
    if warm and "reward" in made:
        left |= with_bases(index, store, made["reward"], str(REWARD))
    return left
