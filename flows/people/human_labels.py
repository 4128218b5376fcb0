"""People's labels for one flow run: what they are asked, and their verdicts once the batch is closed."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flows.people.review import Given, given_reviews, pauses
from flows.settings import ASK_PEOPLE, FlowSettings
from flows.stage_run import StageRunner
from stemma.errors import LabelError, SettingsError
from stemma.lineage.dvc import run_dvc
from stemma.records.counting import counted
from stemma.records.json_file import write_json
from stemma.records.jsonl import write_rows

if TYPE_CHECKING:
    from stemma.labelling.store.batch import Batch, Progress
    from stemma.labelling.store.store import LabelStore

FOLDER = "inputs/labels"
FILES = ("verdicts.jsonl", "batch.json")


@dataclass(frozen=True)
class Halt:
    """Why a run stops before its end though nothing is wrong with it."""

    batch: str
    words: str
    progress: "Progress | None"
    """How far the batch is that the run waits for; None where a reviewer refused its labels."""


@contextmanager
def asked_people(root: Path, settings: FlowSettings, run: str) -> "Iterator[People | None]":
    """The people whose labels a run needs, with the label store open; None where it needs none.

    Raises LabelError where the store cannot be opened; SettingsError where there are no guidelines.
    """
    if settings.label.source not in ASK_PEOPLE:
        yield None
        return
    from stemma.labelling.store.database import store_url
    from stemma.labelling.store.store import open_store

    store = open_store(store_url(root))
    try:
        yield People(store, settings, run, _guidelines(root, settings))
    finally:
        store.close_connections()


def check_people(root: Path, settings: FlowSettings) -> None:
    """Raise SettingsError where people are to label and there are no guidelines; no store is opened."""
    if settings.label.source in ASK_PEOPLE:
        _guidelines(root, settings)


@dataclass(frozen=True)
class People:
    """Those who are asked; the batch is found again by its id however often the run begins anew."""

    store: "LabelStore"
    settings: FlowSettings
    run: str
    guidelines: str

    def ask(self, stage: str, runner: StageRunner, flow_run: str) -> None:
        """Put the fresh samples before people, once the stage is done that they, or their order, come from.

        Nobody is asked where that was done before, or a given batch is to be used.
        """
        human = self.settings.human
        if stage != ("ai_label" if human.order == "uncertain" else "sample"):
            return
        if human.batch or self.store.batch(self.run):
            return
        from flows.people.label_batch import batch_of_samples

        source = {"run": self.run, "sample": runner.artifacts["sample"], "flow_run": flow_run}
        batch = batch_of_samples(runner.workspace.path, self.settings, self.guidelines, source)
        self.store.make_batch(batch)
        runner.say(
            f"batch {batch.id}: {counted(len(batch.items), 'pair')} for people to label, each by {batch.overlap}"
        )

    def take(self, runner: StageRunner) -> Halt | None:
        """Take the closed batch's verdicts as raw inputs of the run; otherwise say why it cannot go on yet.

        Raises LabelError where it never can: the batch is stale, withdrawn or, where it was given, not there or open.
        """
        batch = self._batch()
        _check(batch, runner.artifacts["sample"])
        reviews = given_reviews()
        review = next((one for one in reviews if one.pause == pauses() - 1), None)
        if review and review.decision == "refuse":
            return self._refuse(batch, review)
        if batch.state == "open":
            return self._wait(batch, review)
        self._write(runner.workspace.path, batch, reviews)
        self.store.announced(batch.id)
        runner.say(f"batch {batch.id} was closed by {batch.closed_by}: {batch.closed_reason}; its verdicts are taken")
        return None

    def _batch(self) -> "Batch":
        batch = self.store.batch(self.settings.human.batch or self.run)
        if batch is None:
            raise LabelError(
                f"human.batch: there is no batch {self.settings.human.batch}; `stemma label batches` lists them"
            )
        return batch

    def _refuse(self, batch: "Batch", review: Given) -> Halt:
        if batch.state == "open":
            self.store.withdraw(batch.id, review.reviewer, review.note)
        note = f": {review.note}" if review.note else ""
        return Halt(batch.id, f"{review.reviewer} refused the labels of batch {batch.id}{note}", None)

    def _wait(self, batch: "Batch", review: Given | None) -> Halt:
        so_far = self.store.progress(batch.id)
        words = f"batch {batch.id} is incomplete: {so_far.given} of {counted(so_far.wanted, 'verdict')}"
        if self.settings.human.batch:
            raise LabelError(f"human.batch: {words}; a given batch must be closed")
        if review:
            words = (
                f"{review.reviewer} said to go on, but {words}; close it as it is with `stemma label close --partial`"
            )
        return Halt(batch.id, words, so_far)

    def _write(self, workspace: Path, batch: "Batch", reviews: Sequence[Given]) -> None:
        folder = workspace / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        write_rows(folder / "verdicts.jsonl", self.store.verdicts(batch.id))
        write_json(folder / "batch.json", _facts(batch, reviews))
        run_dvc(workspace, "add", *(f"{FOLDER}/{file}" for file in FILES))


def _check(batch: "Batch", sample: str) -> None:
    made_of = batch.source.get("sample", sample)
    if made_of != sample:
        raise LabelError(
            f"batch {batch.id} is stale: its answers are of sample {made_of}, and this run's are of {sample}. "
            "Code, data or settings changed since; go back to those, or start a run of another name, which asks anew"
        )
    if batch.state == "withdrawn":
        raise LabelError(
            f"batch {batch.id} was withdrawn by {batch.closed_by}: {batch.closed_reason}; "
            "start a run of another name, which asks anew"
        )


def _facts(batch: "Batch", reviews: Sequence[Given]) -> dict[str, object]:
    """What stands on record of a batch beside its verdicts."""
    return {
        "batch": batch.id,
        "form": batch.form,
        "overlap": batch.overlap,
        "guidelines_sha256": hashlib.sha256(batch.guidelines.encode()).hexdigest(),
        "source": batch.source,
        "closed": batch.closed.isoformat() if batch.closed else None,
        "closed_by": batch.closed_by,
        "closed_reason": batch.closed_reason,
        "reviews": [asdict(review) for review in reviews],
    }


def _guidelines(root: Path, settings: FlowSettings) -> str:
    path = root / settings.human.guidelines
    if not path.is_file():
        raise SettingsError(f"human.guidelines: there is no file {path}; annotators must be told what counts")
    return path.read_text(encoding="utf-8")
