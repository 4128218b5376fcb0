"""Critique and revision: a model improves answers by a constitution, and the results teach the next policy.

This is the supervised phase of Constitutional AI (Bai et al. 2022, section 3): the judge's model criticises an answer
by the principles, then writes it anew; prompts with their revisions are demonstrations for `data.files`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from stemma.errors import SettingsError
from stemma.judging.answer_cache import AnswerCache, key_of
from stemma.judging.constitution import Constitution
from stemma.judging.prompt import critique_prompt, revision_prompt
from stemma.judging.reply import UnreadableError, WrittenText
from stemma.judging.writers import Writer, Written
from stemma.records.counting import counted
from stemma.records.types import Conversation, Prompt, Response
from stemma.stage.live_lines import LiveLines

CUT = "it was cut at the length limit, so it is no answer to imitate; raise --max-tokens"


@dataclass(frozen=True)
class Revision:
    """An answer, what is wrong with it, and the better one."""

    prompt: Prompt
    answer: str
    critique: str
    revision: str


@dataclass
class Revised:
    """What came of revising answers."""

    revisions: list[Revision] = field(default_factory=list)
    lost: Counter[str] = field(default_factory=Counter)
    """Why an answer has no revision, with how many."""


def revise(
    constitution: Constitution,
    writer: Writer,
    answers: Sequence[tuple[Prompt, Response]],
    cache: AnswerCache,
    progress: LiveLines,
) -> Revised:
    """Criticise and revise every answer; what was written before is taken from the cache.

    Raises SettingsError where the constitution has no prompts for it, ServiceError where the model cannot be asked.
    """
    if constitution.critique is None or constitution.revise is None:
        raise SettingsError(
            f"constitution {constitution.name} has no `critique` and `revise`; add them, or name another"
        )
    revised = Revised()
    progress.say(f"{counted(len(answers), 'answer')} to criticise")
    asked = [critique_prompt(constitution, prompt.messages, answer.text) for prompt, answer in answers]
    critiques = _texts(_written(writer, asked, cache, progress), revised.lost)  # cut, they say enough
    progress.say(f"{counted(len(critiques), 'critique')}, as many answers to revise")
    again = [
        revision_prompt(constitution, answers[i][0].messages, answers[i][1].text, critique)
        for i, critique in critiques.items()
    ]
    texts = _texts(map(_whole, _written(writer, again, cache, progress)), revised.lost)
    for place, (i, critique) in enumerate(critiques.items()):
        if place in texts:
            prompt, answer = answers[i]
            revised.revisions.append(Revision(prompt, answer.text, critique, texts[place]))
    return revised


def _whole(written: Written) -> Written:
    """A demonstration ends where the answer ends, so a text that was cut is none."""
    return UnreadableError(CUT) if isinstance(written, WrittenText) and not written.finished else written


def _texts(written: Iterable[Written], lost: Counter[str]) -> dict[int, str]:
    """What was written, by place; the rest is counted."""
    texts = {}
    for place, one in enumerate(written):
        if isinstance(one, WrittenText):
            texts[place] = one.text
        else:
            lost[str(one)] += 1
    return texts


def _written(writer: Writer, prompts: Sequence[Conversation], cache: AnswerCache, progress: LiveLines) -> list[Written]:
    keys = [
        key_of(
            {
                "writer": writer.identity,
                "prompt": [[message.role, message.content] for message in prompt],
                "kept": list(WrittenText._fields),  # what was kept without `finished` is asked for again
            }
        )
        for prompt in prompts
    ]
    found: dict[int, Written] = {}
    known = cache.find(keys)

    def keep(texts: Mapping[int, Written]) -> None:
        found.update(texts)
        progress.at(len(found), len(missing))
        cache.keep({keys[i]: text._asdict() for i, text in texts.items() if isinstance(text, WrittenText)})

    missing = {i: prompt for i, prompt in enumerate(prompts) if keys[i] not in known}
    if missing:
        progress.begin()
        progress.at(0, len(missing))
        writer.write(missing, keep)
    return [found[i] if i in found else WrittenText(**known[key]) for i, key in enumerate(keys)]
