"""A handful of answers before and after the tuning, as an evaluation's `answers.json` holds them.

Everything that shows answers reads this file: `stemma show`, report.md, the result page and MLflow.
"""

import json
from collections.abc import Sequence
from textwrap import shorten

from pydantic import JsonValue

from stemma.records.types import Conversation, Record

ANSWERS = "answers.json"
"""The file in the artifact of an evaluation."""
COLUMNS = ("question", "kind", "shown because", "SFT says", "SFT score", "tuned says", "tuned score", "prompt id")
LONGEST = 300
"""Characters of a text on a page; the file holds all of it."""


class ScoredAnswer(Record):
    """One answer with its score."""

    text: str
    finished: bool
    """False where it ran into the length limit."""
    score: float
    outcome: str | None = None
    """The gold rule's word for it, in the default world."""


class AnswerExample(Record):
    """Two answers to one prompt."""

    prompt_id: str
    kind: str | None
    prompt: Conversation
    reason: str
    """Which part of the rule chose it."""
    sft: ScoredAnswer
    tuned: ScoredAnswer


class AnswerExamples(Record):
    """The chosen answers, and the rule that chose them."""

    rule: str
    tuned: str
    """The stage that made the tuned policy: ppo or dpo."""
    examples: tuple[AnswerExample, ...]


def terminal_lines(answers: AnswerExamples) -> list[str]:
    """The answers for the terminal: a question a paragraph, an answer a line."""
    lines = [f"Chosen by rule: {answers.rule}"]
    name = answers.tuned.upper()
    for example in answers.examples:
        kind = f"{example.kind}; " if example.kind else ""
        lines += ["", f"{_question(example)}  ({kind}{example.reason})"]
        lines += [f"  {who:<4} {_scored(answer)}" for who, answer in (("SFT", example.sft), (name, example.tuned))]
    return lines


def markdown(answers: AnswerExamples) -> str:
    """The answers as a Markdown table under the rule that chose them."""
    name = answers.tuned.upper()
    rows = [
        (_question(example), _scored(example.sft), _scored(example.tuned), f"{example.kind or ''} {example.reason}")
        for example in answers.examples
    ]
    cells = [("question", "SFT says", f"{name} says", "shown because"), ("---",) * 4, *rows]
    return "\n".join([f"Chosen by rule: {answers.rule}", "", *(f"| {' | '.join(map(_cell, row))} |" for row in cells)])


def table(answers: AnswerExamples) -> dict[str, JsonValue]:
    """The answers as columns and rows, in the form in which MLflow's UI shows a table."""
    rows: list[JsonValue] = [
        [
            asked(example.prompt), example.kind or "", example.reason, example.sft.text, example.sft.score,
            example.tuned.text, example.tuned.score, example.prompt_id,
        ]
        for example in answers.examples
    ]  # fmt: skip
    return {"columns": list(COLUMNS), "data": rows}


def read_answers(content: bytes | str | None) -> AnswerExamples | None:
    """The content of an answers.json; None where an evaluation of an earlier version left none."""
    return AnswerExamples.model_validate(json.loads(content)) if content else None


def asked(conversation: Conversation) -> str:
    """A prompt as one text: the question alone, or all turns, each after its role."""
    if len(conversation) == 1:
        return conversation[0].content
    return "\n".join(f"{message.role}: {message.content}" for message in conversation)


def _question(example: AnswerExample) -> str:
    return _short(asked(example.prompt))


def _scored(answer: ScoredAnswer) -> str:
    cut = "" if answer.finished else " (cut at the length limit)"
    outcome = f"{answer.outcome}, " if answer.outcome else ""
    return f"{_short(answer.text) or '(nothing)'}{cut}  [{outcome}{answer.score:+.2f}]"


def readable(text: str) -> str:
    """A model's text without what would steer a terminal."""
    return "".join(
        letter if letter.isprintable() or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def _short(text: str) -> str:
    return shorten(readable(text), LONGEST, placeholder=" …")


def _cell(text: str) -> str:
    """A text that stays in its cell, and is no markup."""
    escaped = "".join(f"\\{letter}" if letter in r"\|`*_[]<>#" else letter for letter in text)
    return escaped.replace("\n", " ").strip()


def ordered_kinds(kinds: Sequence[str | None]) -> list[str | None]:
    """The kinds that are there, by name; prompts without a kind come last."""
    return sorted(set(kinds), key=lambda kind: (kind is None, kind or ""))
