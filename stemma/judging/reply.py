"""What a chat completion says of two answers: each verdict token's chance, or the words alone. Nothing is guessed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from stemma.judging.case import PROBABILITY_DIGITS
from stemma.records.types import Origin

VERDICT_LINE = "Verdict:"
"""What the last line of a reasoned answer begins with."""
CUT_REASONS = ("length", "content_filter")
"""The `finish_reason` of a completion that did not come to its end."""
ABOVE_ZERO = 1e-3
"""As far as rounding may put a log-probability above 0."""


class UnreadableError(Exception):
    """An answer that holds no verdict; its text is the reason, in a few words of ours."""

    def __init__(self, reason: str, said: str = "") -> None:
        super().__init__(reason)
        self.said = said
        """What was said instead of a verdict, for people."""


class WrittenText(NamedTuple):
    """What a model wrote."""

    text: str
    finished: bool
    """False if it was cut at the length limit, or by the server's filter."""


@dataclass(frozen=True)
class Reply:
    """What a judge said of two answers in one order."""

    probability: float
    """Chance that the answer shown first is the better one."""
    raw: Origin
    """What it was read from."""
    tokens: int = 0
    """Tokens of prompt and answer, where the server tells."""


def read_reply(body: Any, asked_model: str, verdicts: tuple[str, str], reasoning: bool) -> Reply:
    """Read the body of a chat completion.

    Where it tells of log-probabilities, the chance of the first verdict is P(first) / (P(first) + P(second)), summed
    over the verdict tokens among the likeliest (Lee et al. 2023, section 2.1); otherwise it is 1 or 0 as the text says.
    Raises UnreadableError where there is no verdict in it.
    """
    choice = _choice(body)
    text = _text(choice)
    raw: Origin = {"text": text, **_served(body, asked_model)}
    tokens = _tokens(body)
    told = _logprobs(choice)
    if told:
        token = _token_of(read_verdict(text, verdicts, reasoning), told) if reasoning else told[0]
        chances = _chances(token, verdicts)
        raw["probabilities"] = {name: round(chance, PROBABILITY_DIGITS) for name, chance in chances.items()}
        return Reply(share_of_first(list(chances.values())), raw, tokens)
    said = read_verdict(text, verdicts, reasoning)
    return Reply(1.0 if said == verdicts[0] else 0.0, raw, tokens)


def read_verdict(text: str, verdicts: tuple[str, str], reasoning: bool) -> str:
    """The verdict that a text gives: the whole of it, or after reasoning its last line `Verdict: …`.

    Raises UnreadableError where it gives none.
    """
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    if reasoning:
        if not last.startswith(VERDICT_LINE):
            raise UnreadableError("its last line is no verdict", last)
        last = last.removeprefix(VERDICT_LINE).strip()
    elif len(lines) > 1:
        raise UnreadableError("it says more than a verdict", text)
    if last not in verdicts:
        raise UnreadableError("it is no verdict", last)
    return last


def share_of_first(chances: Sequence[float]) -> float:
    """P(first) / (P(first) + P(second)).

    Raises UnreadableError where both are zero.
    """
    if sum(chances) <= 0:
        raise UnreadableError("no verdict is among its likeliest tokens")
    return chances[0] / sum(chances)


def shown_model(name: str) -> str:
    """A served model's name without the place where it lies on somebody's disk."""
    return PurePosixPath(name).name if name.startswith("/") else name


def read_text(body: Any) -> WrittenText:
    """The words of a chat completion, and whether they came to their end, which is so where the server does not say.

    Raises UnreadableError where it has none.
    """
    choice = _choice(body)
    return WrittenText(_text(choice).strip(), choice.get("finish_reason") not in CUT_REASONS)


def _choice(body: Any) -> Mapping[str, Any]:
    try:
        choice = body["choices"][0]
    except (TypeError, KeyError, IndexError):
        raise UnreadableError("it is no chat completion") from None
    if not isinstance(choice, dict):
        raise UnreadableError("it is no chat completion")
    return choice


def _text(choice: Mapping[str, Any]) -> str:
    message = choice.get("message")
    text = message.get("content") if isinstance(message, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise UnreadableError("it is empty")
    return text


def _served(body: Mapping[str, Any], asked: str) -> Origin:
    """What the server says of the model, where that is more than its name."""
    told: Origin = {}
    if isinstance(body.get("model"), str) and body["model"] != asked:
        told["served"] = shown_model(body["model"])
    if isinstance(body.get("system_fingerprint"), str):
        told["fingerprint"] = body["system_fingerprint"]
    return told


def _tokens(body: Mapping[str, Any]) -> int:
    usage = body.get("usage")
    total = usage.get("total_tokens") if isinstance(usage, dict) else None
    return total if isinstance(total, int) else 0


def _logprobs(choice: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The log-probabilities at each token that is not blank; none where the server does not tell them."""
    told = choice.get("logprobs")
    content = told.get("content") if isinstance(told, dict) else None
    tokens = content if isinstance(content, list) else []
    return [token for token in tokens if isinstance(token, dict) and str(token.get("token", "")).strip()]


def _token_of(verdict: str, tokens: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The last token that is the verdict; the end of the turn may stand behind it."""
    found = [token for token in tokens if str(token["token"]).strip() == verdict]
    if not found:
        raise UnreadableError("its verdict is not a token of its own")
    return found[-1]


def _chances(token: Mapping[str, Any], verdicts: tuple[str, str]) -> dict[str, float]:
    """How likely each verdict is at a token, summed over its spellings with and without a space."""
    listed = token.get("top_logprobs") or [token]
    try:
        known = [(str(item["token"]).strip(), _probability(item["logprob"])) for item in listed]
    except (TypeError, KeyError, ValueError):
        raise UnreadableError("its log-probabilities are malformed") from None
    chances = {verdict: sum(chance for text, chance in known if text == verdict) for verdict in verdicts}
    if 0 in chances.values() and any(chances.values()) and str(token["token"]).strip() not in verdicts:
        # The other's chance may be next to nothing or almost as much.
        raise UnreadableError("it said something else, and only one verdict is among its likeliest tokens")
    return chances


def _probability(logprob: Any) -> float:
    """Raises TypeError or ValueError where it is no log-probability; rounding may put one a little above 0."""
    told = float(logprob)
    if not told <= ABOVE_ZERO:
        raise ValueError("no log-probability")
    return math.exp(told)
