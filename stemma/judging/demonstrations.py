"""Revised answers as demonstrations: messages that `data.files` reads, and a report of how they came about."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stemma.errors import DataError, WorkspaceError
from stemma.judging.revise import Revised
from stemma.records.json_file import write_json
from stemma.records.jsonl import read_rows, write_rows
from stemma.records.types import Conversation, Message, Prompt, Record, Response


class Messages(Record):
    """A conversation that ends with the answer to imitate, as `data.files` takes it."""

    messages: Conversation


def first_answers(artifacts: Path, most: int) -> list[tuple[Prompt, Response]]:
    """The first answer to each training prompt of artifacts/data and artifacts/sample; `most` 0 takes all.

    Raises DataError where there is none, or a file is missing.
    """
    prompts = read_rows(artifacts / "data" / "prompts.jsonl", Prompt)
    training = {prompt.id: prompt for prompt in prompts if prompt.split == "train"}
    answers: dict[str, Response] = {}
    for response in read_rows(artifacts / "sample" / "responses.jsonl", Response):
        if response.prompt_id in training and response.text.strip():
            answers.setdefault(response.prompt_id, response)
    if not answers:
        raise DataError(f"{artifacts / 'sample'} holds no answer to a training prompt; sample first")
    found = [(training[prompt_id], response) for prompt_id, response in answers.items()]
    return found[:most] if most else found


def write_demonstrations(file: Path, revised: Revised, origin: Mapping[str, Any]) -> Path:
    """Write the demonstrations to a file and a report beside it, whose path is returned.

    The report's rows stand in the order of the file's lines. Raises WorkspaceError where that cannot be.
    """
    report = file.with_name(f"{file.stem}.report.json")
    rows = [
        Messages(messages=(*row.prompt.messages, Message(role="assistant", content=row.revision)))
        for row in revised.revisions
    ]
    told = {
        **origin,
        "revised": len(rows),
        "unchanged": sum(row.revision == row.answer.strip() for row in revised.revisions),
        "lost": dict(sorted(revised.lost.items())),
        "rows": [
            {"prompt_id": row.prompt.id, "answer": row.answer, "critique": row.critique} for row in revised.revisions
        ],
    }
    try:
        write_rows(file, rows)
        write_json(report, told)
    except OSError as error:
        raise WorkspaceError(f"{file} cannot be written ({error.strerror}); name another file") from None
    return report
