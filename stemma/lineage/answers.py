"""The answers of a run's evaluation, as its artifact holds them."""

from stemma.lineage.runs import EVALUATION, Run, artifact_id
from stemma.lineage.store import Store
from stemma.records.answer_examples import ANSWERS, AnswerExamples, read_answers


def answers_of(store: Store, run: Run) -> AnswerExamples | None:
    """The chosen answers of a run's evaluation; None where the run has no evaluation, or as for `answers_in`."""
    stage = next((stage for stage in run.stages if stage.startswith(EVALUATION)), None)
    return answers_in(store, artifact_id(run.lock[stage])) if stage and stage in run.lock else None


def answers_in(store: Store, artifact: str) -> AnswerExamples | None:
    """The chosen answers in the artifact of an evaluation, by its DVC id.

    None where its bytes are neither in the cache nor on the remote, or it was made before evaluations kept answers.
    Raises ArtifactError where the only copies are damaged.
    """
    return read_answers(store.read(artifact, ANSWERS))
