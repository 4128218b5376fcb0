"""Verdicts of examples, and examples of verdicts."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from stemma.records.example import Answer, Example, Opinion, ranked
from stemma.records.own_data import origin_of
from stemma.records.types import Comparison, Conversation, Origin, Verdict

UNNAMED = "unnamed"
"""The annotator of verdicts for which the file names nobody."""
FORM = "verdicts"
"""The form of examples that come from verdicts."""


def verdicts_of(example: Example, prompt_id: str) -> Iterator[Verdict]:
    """What every opinion says of every two answers, ties and skips included."""
    for pair in example.pairs():
        opinion = pair.opinion
        yield Verdict(
            prompt_id=prompt_id,
            annotator=opinion.annotator or (UNNAMED if opinion.judge is None else None),
            judge=opinion.judge,
            first=pair.first.text,
            second=pair.second.text,
            first_finished=pair.first.finished,
            second_finished=pair.second.finished,
            choice=pair.choice,
            probability=pair.probability,
            strength=opinion.strength,
            note=opinion.note,
            origin=origin_of(example, opinion, {"first": pair.first, "second": pair.second}),
        )


def examples_of(verdicts: Iterable[Verdict], prompts: Mapping[str, Conversation]) -> list[Example]:
    """Put the verdicts on the same answers to a prompt together; those of a ranking become the ranking again."""
    groups: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        groups.setdefault((verdict.prompt_id, _subject(verdict)), []).append(verdict)
    return [_example(prompts[prompt_id], group) for (prompt_id, _), group in groups.items()]


def compared(comparisons: Iterable[Comparison]) -> list[Example]:
    """Comparisons as examples, one each; the chosen answer first, because the order shown is not on record."""
    return [
        Example(
            form=FORM,
            prompt=row.prompt,
            answers=(
                Answer(text=row.chosen, finished=row.chosen_finished),
                Answer(text=row.rejected, finished=row.rejected_finished),
            ),
            opinions=(
                Opinion(
                    ranking=((0,), (1,)),
                    annotator=row.annotator,
                    judge=row.judge,
                    probability=row.probability,
                    origin=row.origin,
                ),
            ),
        )
        for row in comparisons
    ]


def _subject(verdict: Verdict) -> str:
    """Equal for the verdicts on the same answers, in whichever order they were shown."""
    origin = verdict.origin or {}
    if "ranking" in origin:
        return json.dumps([origin.get("batch"), origin.get("item"), origin.get("row")], sort_keys=True)
    answers = ((verdict.first, verdict.first_finished), (verdict.second, verdict.second_finished))
    return json.dumps(sorted(answers))


def _example(prompt: Conversation, verdicts: list[Verdict]) -> Example:
    answers: dict[str, Answer] = {}
    for verdict in verdicts:
        both = (
            ("first", verdict.first, verdict.first_finished),
            ("second", verdict.second, verdict.second_finished),
        )
        for part, text, finished in both:
            told = (verdict.origin or {}).get(part)
            origin = told if isinstance(told, dict) else None
            answers.setdefault(text, Answer(text=text, finished=finished, origin=origin))
    return Example(
        form=FORM,
        prompt=prompt,
        answers=tuple(answers.values()),
        opinions=tuple(_opinion(list(answers), group) for group in _by_opinion(verdicts)),
    )


def _by_opinion(verdicts: Iterable[Verdict]) -> Iterable[list[Verdict]]:
    """The pairs that follow from one ranking together, every other verdict alone."""
    groups: dict[object, list[Verdict]] = {}
    for number, verdict in enumerate(verdicts):
        is_ranking = "ranking" in (verdict.origin or {})
        key = json.dumps([verdict.annotator, verdict.judge, _about(verdict)], sort_keys=True) if is_ranking else number
        groups.setdefault(key, []).append(verdict)
    return groups.values()


def _opinion(texts: Sequence[str], verdicts: Sequence[Verdict]) -> Opinion:
    one = verdicts[0]
    seen = dict.fromkeys(texts.index(text) for verdict in verdicts for text in (verdict.first, verdict.second))
    shown = sorted(seen, key=lambda index: -sum(verdict.first == texts[index] for verdict in verdicts))
    wins = dict.fromkeys(sorted(seen), 0.0)
    for verdict in verdicts:
        better = {"first": verdict.first, "second": verdict.second}.get(verdict.choice)
        if better is not None:
            wins[texts.index(better)] += 1
    turned = one.probability is not None and texts.index(one.first) > texts.index(one.second)
    return Opinion(
        ranking=ranked(wins),
        void=one.choice if one.choice in {"both_bad", "skip"} else None,
        shown=None if shown == sorted(seen) else tuple(shown),
        annotator=None if one.annotator == UNNAMED else one.annotator,
        judge=one.judge,
        probability=1 - one.probability if turned and one.probability is not None else one.probability,
        strength=one.strength,
        note=one.note,
        origin=_about(one),
    )


def _about(verdict: Verdict) -> Origin | None:
    """The origin without what it says of each answer."""
    return {key: value for key, value in (verdict.origin or {}).items() if key not in {"first", "second"}} or None
