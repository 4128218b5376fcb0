"""Verdicts that people or AI judges gave on sampled answers, taken only where those answers are still the sample's."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from stemma.errors import DataError
from stemma.records.json_file import read_json
from stemma.records.jsonl import read_rows
from stemma.records.types import Prompt, Response, Verdict

LABELS = Path("inputs/labels")
"""Where people's verdicts lie in a project; `label` depends on it."""
VERDICTS = "verdicts.jsonl"
BATCH = "batch.json"


def read_people(folder: Path = LABELS) -> list[Verdict]:
    """People's verdicts in a folder.

    Raises DataError where there are none, or a row is wrong.
    """
    path = folder / VERDICTS
    verdicts = read_rows(path, Verdict) if path.is_file() else []
    if not verdicts:
        raise DataError(
            f"{path} holds no verdicts: label a batch first (a flow with label.source=human makes one and waits for "
            "it), or bring a file with `stemma label import FILE --out DIR` and copy its verdicts.jsonl there"
        )
    return verdicts


def read_batch(folder: Path = LABELS) -> object:
    """What is on record of the batch that the verdicts come from; None where they came without one."""
    path = folder / BATCH
    return read_json(path) if path.is_file() else None


def read_judges(artifact: Path) -> list[Verdict]:
    """AI judges' verdicts in artifacts/ai_label.

    Raises DataError where there are none.
    """
    path = artifact / VERDICTS
    verdicts = read_rows(path, Verdict)
    if not verdicts:
        raise DataError(f"{path} holds no verdicts: name a judge in ai_label.judges, or take another label.source")
    return verdicts


def require_fresh(
    verdicts: Sequence[Verdict], prompts: Mapping[str, Prompt], responses: Iterable[Response], what: str
) -> None:
    """Stop where a verdict is on texts that are not both answers to its prompt in this sample.

    `what` names the verdicts in the message. Raises DataError with how many there are, and the first.
    """
    answers: dict[str, set[str]] = {}
    for response in responses:
        answers.setdefault(response.prompt_id, set()).add(response.text)
    stale = [verdict for verdict in verdicts if _fault(verdict, prompts, answers)]
    if stale:
        raise DataError(
            f"{what} is stale: {len(stale)} of {len(verdicts)} verdicts are not on answers of artifacts/sample; the "
            f"first is on prompt {stale[0].prompt_id!r}, {_fault(stale[0], prompts, answers)}. It was made from "
            "another sample: put that run's settings back, or label a new batch. Labels on answers from elsewhere go "
            "into data.files, with label.source=recorded"
        )


def with_finished(verdicts: Iterable[Verdict], responses: Iterable[Response]) -> list[Verdict]:
    """The verdicts with what the sample says of each answer, finished or not, where they say otherwise.

    A file of another tool, and a batch made before the store recorded it, call every answer finished.
    """
    sampled: dict[tuple[str, str], set[bool]] = {}
    for response in responses:
        sampled.setdefault((response.prompt_id, response.text), set()).add(response.finished)

    def finished(verdict: Verdict, text: str, recorded: bool) -> bool:
        seen = sampled.get((verdict.prompt_id, text), {recorded})
        return recorded if recorded in seen else not recorded

    return [
        verdict.model_copy(
            update={
                "first_finished": finished(verdict, verdict.first, verdict.first_finished),
                "second_finished": finished(verdict, verdict.second, verdict.second_finished),
            }
        )
        for verdict in verdicts
    ]


def _fault(verdict: Verdict, prompts: Mapping[str, Prompt], answers: Mapping[str, set[str]]) -> str:
    """What is wrong with a verdict; empty where nothing is."""
    if verdict.prompt_id not in prompts:
        return "which artifacts/data does not have"
    unknown = {verdict.first, verdict.second} - answers.get(verdict.prompt_id, set())
    if unknown:
        return f"whose answers here do not include {_short(min(unknown))!r}"
    return ""


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:60] + "…"
