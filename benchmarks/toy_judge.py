"""A small language model that judges answers in the default world, made from nothing: it stands in for a judge at hand.

    python -m benchmarks.toy_judge --seed 10 --folder FOLDER

It reads the corpus of the seed's world, as a big model has read of the world that it judges, and that of another world
with other people. Only about those other people is it taught to compare answers: by a set of lessons whose verdicts
are the gold rule's, as a big model has been taught to judge before it meets the data. No prompt, answer or verdict of
the world it will judge is among them, so there it must apply the rule to what it has read.

Prints how often it agrees with the gold rule on written answers to the validation prompts of its own world.
"""

import argparse
import shutil
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from random import Random

from stemma.config import MachineConfig
from stemma.judging.case import Case
from stemma.judging.constitution import FOLDER, Constitution, read_constitution
from stemma.judging.known_cases import KnownCase
from stemma.judging.prompt import comparison_prompt
from stemma.records.types import Demonstration, Document, Message, Prompt, Response
from stemma.stage.door import Stage
from stemma.stage.progress import Progress
from stemma.training.pretrain_settings import PretrainSettings
from stemma.training.settings import TrainerSettings
from stemma.world.chance import chance
from stemma.world.corpus import make_corpus, make_probe
from stemma.world.gold import gold_score
from stemma.world.kinds import Kind
from stemma.world.people import People, Topics, make_people
from stemma.world.phrases import ABSTENTION, ATTRIBUTES, COMPLIANCE, PADDING, REFUSAL, VALUE_ANSWER, VALUES
from stemma.world.questions import all_questions, draw_questions, make_prompts
from stemma.world.settings import WorldConfig

ROOT = Path(__file__).resolve().parents[1]
CONSTITUTION = "default-world"
WORLD = WorldConfig()
OTHER_WORLDS = 1_000_000
"""Added to the seed; the first world from there on whose people have other names is the one to learn judging in."""
LONGEST_REPLY = 32
"""Tokens; what it is taught to say takes about 15."""
LESSONS = 4000
READ_LESSONS = 300
"""Lessons that are read along with the corpora, so that the tokenizer knows their words."""
REHEARSED = 800
"""Questions and answers of the corpora among the lessons, so that what was read is not forgotten."""
READING = PretrainSettings(context=160, layers=3, decay_steps=200)
LEARNING = TrainerSettings(learning_rate=1.5e-3, epochs=2, batch_size=8, warmup_steps=30)

LESSON_MIX: Mapping[Kind, float] = {"known": 0.6, "unknown": 0.25, "harmful": 0.15}
"""What lessons are about: most about facts, because to hold an answer against one is what takes longest to learn."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Make a judge and measure it."""
    parser = argparse.ArgumentParser(description="Make a small judge for the default world.")
    parser.add_argument("--seed", type=int, default=10)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args(arguments)
    make_judge(options.seed, options.folder)
    measure(options.seed, options.folder)


def make_judge(seed: int, folder: Path) -> None:
    """Leave the judge of a seed's world as a model folder; one that is there is left as it is.

    What a killed process had done of it is taken over.
    """
    from stemma.models.tokenizer import build_tokenizer
    from stemma.records.dataset import texts_of
    from stemma.training.from_scratch import make_from_scratch
    from stemma.training.sft import train_on_demonstrations

    if folder.is_dir():
        return
    own, others = worlds(seed)
    lessons = [lesson(row, constitution()) for row in comparisons(whole(others), LESSONS, chance(seed, "lessons"))]
    corpora = [*make_corpus(own, WORLD.corpus_documents, chance(seed, "corpus"))]
    corpora += make_corpus(others, WORLD.corpus_documents, chance(seed, "another corpus"))
    work = folder.with_name(folder.name + ".making")
    reading, learning = stage("reading", seed, work), stage("learning", seed, work)
    if not any(reading.output.iterdir()):
        probe = (*make_probe(own), *make_probe(others))
        documents = [*corpora, *map(as_document, lessons[:READ_LESSONS])]
        make_from_scratch(documents, probe, build_tokenizer(texts_of(documents), READING.vocab_size), READING, reading)
    rows = [*lessons, *rehearsal(corpora, chance(seed, "rehearsal"))]
    chance(seed, "order of lessons").shuffle(rows)
    train_on_demonstrations(rows, reading.output, LEARNING, "last", learning)
    learning.output.rename(folder)
    shutil.rmtree(work)


def worlds(seed: int) -> tuple[People, People]:
    """The people of a seed's world, and those of another one who have none of their names."""
    own = make_people(seed, WORLD)
    names = {*own.known, *own.unknown}
    number = OTHER_WORLDS + seed
    while names & {*(others := make_people(number, WORLD)).known, *others.unknown}:
        number += OTHER_WORLDS
    return own, others


def whole(people: People) -> Topics:
    """Everything that can be asked about people, whichever split it is of."""
    requests = chain.from_iterable(topics.requests for topics in people.topics.values())
    return Topics(people.facts, people.unknown, tuple(requests))


def comparisons(topics: Topics, count: int, draw: Random) -> list[KnownCase]:
    """Written pairs of answers about the topics, with the gold rule's verdicts; none is a tie, which a third are."""
    drawn = make_prompts(draw_questions(topics, LESSON_MIX, 2 * count, draw), "judge")
    return [row for prompt in drawn for row in known_case(prompt, draw)][:count]


def known_case(prompt: Prompt, draw: Random) -> list[KnownCase]:
    """A pair of answers to a prompt with its verdict; none where they are worth the same."""
    first, second = written_answer(prompt, 0, draw), written_answer(prompt, 1, draw)
    margin = gold_score(prompt, first.text, True) - gold_score(prompt, second.text, True)
    return [KnownCase(Case(prompt, first, second), float(margin > 0))] if abs(margin) > 1e-9 else []


def written_answer(prompt: Prompt, index: int, draw: Random) -> Response:
    """One of the answers that policies give in the default world, good and bad ones alike."""
    asked_for = next((name for name in ATTRIBUTES if name in prompt.messages[0].content), draw.choice(ATTRIBUTES))
    guess = VALUE_ANSWER.format(value=draw.choice(VALUES[asked_for]))
    told = VALUE_ANSWER.format(value=prompt.truth) if prompt.truth else guess
    if prompt.kind == "harmful":
        text = draw.choices([REFUSAL, COMPLIANCE, ABSTENTION, guess], [0.45, 0.4, 0.12, 0.03])[0]
    else:
        text = draw.choices([told, guess, ABSTENTION, REFUSAL, COMPLIANCE], [0.4, 0.3, 0.2, 0.08, 0.02])[0]
    padding = f" {draw.choice(PADDING)}" if draw.random() < WORLD.verbose_share else ""
    return Response(prompt_id=prompt.id, index=index, text=text + padding, finished=True)


def constitution() -> Constitution:
    """What the judge judges by."""
    return read_constitution(ROOT / FOLDER, CONSTITUTION)[0]


def lesson(row: KnownCase, rules: Constitution) -> Demonstration:
    """A comparison as the judge is asked for it, and what it is to say: what it knows, two marks, the verdict."""
    case = row.case
    messages = comparison_prompt(rules, case.prompt.messages, case.first.text, case.second.text, reasoning=True)
    marks = f"{mark(case.prompt, case.first.text)} , {mark(case.prompt, case.second.text)}"
    verdict = rules.compare.verdicts[0 if row.people else 1]
    return Demonstration(prompt=messages, completion=f"{best(case.prompt)} {marks}\nVerdict: {verdict}")


def best(prompt: Prompt) -> str:
    """The answer that is worth most."""
    if prompt.kind == "harmful":
        return REFUSAL
    return VALUE_ANSWER.format(value=prompt.truth) if prompt.truth else ABSTENTION


def mark(prompt: Prompt, text: str) -> int:
    """The gold rule's score as the judge writes it: from 20 to 43, ten to a point, for no two of them look alike."""
    return round(33 + 10 * gold_score(prompt, text, finished=True))


def as_document(row: Demonstration) -> Document:
    """A lesson to be read."""
    return Document(messages=(*row.prompt, Message(role="assistant", content=row.completion)))


def rehearsal(corpora: Sequence[Document], draw: Random) -> list[Demonstration]:
    """Questions and answers that were read."""
    asked = [document.messages for document in corpora if document.messages]
    return [Demonstration(prompt=turns[:-1], completion=turns[-1].content) for turns in draw.sample(asked, REHEARSED)]


def stage(name: str, seed: int, work: Path) -> Stage:
    """What a stage's function is given, outside of a pipeline."""
    output, scratch = work / name, work / f"{name}-scratch"
    output.mkdir(parents=True, exist_ok=True)
    scratch.mkdir(exist_ok=True)
    return Stage(name, seed, MachineConfig(), {}, output, scratch, Progress(name, scratch))


def measure(seed: int, folder: Path) -> None:
    """Print the judge's agreement with the gold rule on validation prompts, asking in both orders."""
    from stemma.judging.ai_settings import LocalConfig
    from stemma.judging.answer_cache import open_cache
    from stemma.judging.check import check, trial_of
    from stemma.judging.seating import seat
    from stemma.judging.text_judge import Bench
    from stemma.stage.live_lines import LiveLines

    draw = chance(seed, "validation")
    prompts = make_prompts(all_questions(worlds(seed)[0].topics["validation"]), "validation")
    known = [row for prompt in prompts for row in known_case(prompt, draw)]
    settings = LocalConfig(
        name="toy", kind="local", model=str(folder.resolve()), reasoning=True, max_tokens=LONGEST_REPLY
    )
    rules, digest = read_constitution(ROOT / FOLDER, CONSTITUTION)
    with open_cache(folder.with_name(folder.name + ".answers")) as cache:
        judge = seat(settings, MachineConfig(), Bench(rules, digest, cache, seed, 1.0, LiveLines("toy judge")))
        opinions = judge.opinions([row.case for row in known])
    told = check([trial_of(row.case, seen, row.people) for row, seen in zip(known, opinions, strict=True) if seen])
    print(f"{told.pairs} pairs, agreement {told.agreement}, flips {told.flips}, says the first {told.shown_first}")


if __name__ == "__main__":
    main()
