"""Labels on record, read to check judges: people's, and AI judges', of a run or in a folder."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TypeVar

from pydantic import ValidationError

from stemma.errors import ArtifactError, DataError
from stemma.judging.check import Trial, trial_of_verdict
from stemma.judging.known_cases import KnownCase, from_comparison, is_of_people
from stemma.lineage.runs import artifact_id, find_run
from stemma.lineage.store import Store
from stemma.records.jsonl import read_rows
from stemma.records.types import Comparison, Record, Verdict

R = TypeVar("R", bound=Record)
VERDICTS, COMPARISONS = "verdicts.jsonl", "comparisons.jsonl"
_FIRST = {"first": 1.0, "second": 0.0, "tie": 0.5, "both_bad": 0.5}


@dataclass(frozen=True)
class Labels:
    """What is on record of who prefers what."""

    title: str
    verdicts: tuple[Verdict, ...]
    comparisons: tuple[Comparison, ...]

    def people(self) -> dict[tuple[str, str, str], float]:
        """The share of people who prefer the first of two answers: by prompt, first and second, either way round.

        They are told by people's verdicts, or where there are none, by comparisons that no AI judge made.
        """
        said: dict[tuple[str, str, str], list[float]] = {}
        given = [(row.prompt_id, row.first, row.second, _FIRST[row.choice]) for row in self.verdicts if _by_person(row)]
        given = given or [
            (row.prompt_id, row.chosen, row.rejected, 1.0) for row in self.comparisons if is_of_people(row)
        ]
        for prompt, first, second, share in given:
            said.setdefault((prompt, first, second), []).append(share)
            said.setdefault((prompt, second, first), []).append(1 - share)
        return {pair: fmean(shares) for pair, shares in said.items()}

    def judged(self) -> dict[str, list[Verdict]]:
        """AI judges' verdicts, by judge."""
        verdicts: dict[str, list[Verdict]] = {}
        for verdict in self.verdicts:
            if verdict.judge is not None and verdict.choice != "skip":
                verdicts.setdefault(verdict.judge, []).append(verdict)
        return verdicts

    def known_cases(self, seed: int) -> list[KnownCase]:
        """People's comparisons, ready to be put before a judge."""
        return [from_comparison(row, seed) for row in self.comparisons if is_of_people(row)]


def read_labels(root: Path, store: Store, name: str) -> Labels:
    """The labels of a run, or in a folder such as artifacts/label, whose sibling ai_label is read too.

    Raises WorkspaceError where neither is there by that name, ArtifactError where its bytes are nowhere here, DataError
    where a row is wrong.
    """
    folder = Path(name)
    return _of_folder(folder) if folder.is_dir() else _of_run(root, store, name)


def trials(verdicts: Iterable[Verdict], people: dict[tuple[str, str, str], float]) -> list[Trial]:
    """The judge's verdicts on pairs that people compared too."""
    pairs = [(verdict, (verdict.prompt_id, verdict.first, verdict.second)) for verdict in verdicts]
    return [trial_of_verdict(verdict, people[pair]) for verdict, pair in pairs if pair in people]


def _by_person(verdict: Verdict) -> bool:
    return verdict.annotator is not None and verdict.choice != "skip"


def _of_folder(folder: Path) -> Labels:
    verdicts = [
        row
        for path in (folder / VERDICTS, folder.parent / "ai_label" / VERDICTS)
        if path.is_file()
        for row in read_rows(path, Verdict)
    ]
    path = folder / COMPARISONS
    comparisons = read_rows(path, Comparison) if path.is_file() else []
    return Labels(str(folder), _once(verdicts), tuple(comparisons))


def _of_run(root: Path, store: Store, name: str) -> Labels:
    lock = find_run(root, name).lock
    made = {stage: artifact_id(lock[stage]) for stage in ("label", "ai_label") if stage in lock}
    verdicts = [row for artifact in made.values() for row in _rows(store, artifact, VERDICTS, Verdict)]
    comparisons = _rows(store, made["label"], COMPARISONS, Comparison) if "label" in made else []
    return Labels(f"run {name}", _once(verdicts), tuple(comparisons))


def _rows(store: Store, artifact: str, file: str, model: type[R]) -> list[R]:
    content = store.read(artifact, file)
    if content is None:
        raise ArtifactError(f"{file} of {artifact} is neither in the DVC cache nor on its remote; `dvc pull` it")
    try:
        return [model.model_validate_json(row) for row in content.split(b"\n") if row]
    except ValidationError as error:
        raise DataError(f"{file} of {artifact} has a row that is wrong: {error.errors()[0]['msg']}") from None


def _once(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """A judge's verdicts stand in its own artifact and again among the labels made from them."""
    return tuple({row.model_dump_json(): row for row in verdicts}.values())
