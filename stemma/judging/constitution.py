"""A constitution: the written principles of an AI judge, and the prompts in which it is asked to apply them.

It is a YAML file in `inputs/constitutions/`, a raw input of the run like any other, so that it stands in a model's
family tree. The principles follow Bai et al. 2022 (Constitutional AI) and Lee et al. 2023 (RLAIF).
"""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from stemma.config import Settings, parse_settings, read_yaml
from stemma.errors import SettingsError
from stemma.stage.manifest import file_sha256

FOLDER = Path("inputs/constitutions")
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
ANYWHERE = {"principles", "rubric", "mark"}
"""What any template may hold: the constitution's own words, and a word that no text in the prompt has."""


def placeholders(template: str) -> set[str]:
    """The names in braces; other braces are left alone."""
    return set(PLACEHOLDER.findall(template))


def _check(template: str, known: set[str], needed: set[str]) -> str:
    unknown, missing = sorted(placeholders(template) - known), sorted(needed - placeholders(template))
    if unknown:
        raise ValueError(f"unknown placeholder {{{unknown[0]}}}; known here: {', '.join(sorted(known))}")
    if missing:
        raise ValueError(f"it lacks the placeholder {{{missing[0]}}}")
    return template


def _template(*needed: str) -> AfterValidator:
    return AfterValidator(lambda template: _check(template, {*ANYWHERE, *needed}, set(needed)))


Words = Annotated[str, _template()]
"""A template without a text to judge, such as the system's turn; empty where there is none."""


class ComparePrompt(Settings):
    """How two answers are compared."""

    system: Words = ""
    """The system's turn."""
    user: Annotated[str, _template("conversation", "first", "second")]
    """The user's turn, in which the conversation and both answers stand."""
    briefly: Words = ""
    """Added to the user's turn where the judge is to say its verdict at once."""
    with_reasons: Words | None = None
    """Added instead where it is to reason first; its last line is then to be `Verdict: 1` or `Verdict: 2`. Empty where
    the judge was trained to end so."""
    verdicts: tuple[str, str] = ("1", "2")
    """The tokens that stand for the answer shown first and the one shown second."""

    @model_validator(mode="after")
    def _verdicts_differ(self) -> "ComparePrompt":
        if len({verdict.strip() for verdict in self.verdicts} - {""}) < 2:
            raise ValueError("verdicts must be two different tokens")
        return self


class CritiquePrompt(Settings):
    """How a judge criticises an answer (Bai et al. 2022, section 3)."""

    system: Words = ""
    """The system's turn."""
    user: Annotated[str, _template("conversation", "answer")]
    """The user's turn, in which the conversation and the answer stand."""


class RevisePrompt(Settings):
    """How a judge writes the answer anew, given its critique (Bai et al. 2022, section 3)."""

    system: Words = ""
    """The system's turn."""
    user: Annotated[str, _template("conversation", "answer", "critique")]
    """The user's turn, in which the conversation, the answer and its critique stand."""


class Constitution(Settings):
    """Principles, and the prompts that apply them."""

    name: str = Field(min_length=1)
    """The file's name without its ending."""
    version: int = Field(ge=1)
    """Raised with every change of words."""
    principles: tuple[str, ...] = Field(min_length=1)
    """What the better answer does; {principles} lists them."""
    rubric: str = ""
    """How to weigh them against each other; {rubric} stands for it."""
    turn: Annotated[str, AfterValidator(lambda turn: _check(turn, {"role", "content"}, {"content"}))] = (
        "{role}: {content}"
    )
    """How one turn of the conversation is written; turns stand two lines apart."""
    compare: ComparePrompt
    """How two answers are compared."""
    critique: CritiquePrompt | None = None
    """How an answer is criticised; only `stemma judge revise` needs it."""
    revise: RevisePrompt | None = None
    """How it is then written anew."""


def read_constitution(folder: Path, name: str) -> tuple[Constitution, str]:
    """Read a constitution by name; the second value is its file's sha256.

    Raises SettingsError where there is none of that name, or the file has faults; all of them are named.
    """
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.yaml"))) or "none"
        raise SettingsError(f"there is no constitution {name!r} in {folder}; there are: {known}")
    read = parse_settings(Constitution, read_yaml(path), str(path))
    if read.name != name:
        raise SettingsError(f"{path} calls itself {read.name!r}; name the file and the constitution alike")
    return read, file_sha256(path)
