"""The default world, whole: a fictional registry of people, made from a seed."""

from stemma.records.dataset import Dataset
from stemma.world.chance import chance
from stemma.world.corpus import make_corpus, make_probe
from stemma.world.demonstrations import make_demonstrations
from stemma.world.people import make_people
from stemma.world.questions import PROMPT_MIX, all_questions, draw_questions, make_prompts
from stemma.world.settings import WorldConfig


def make_world(seed: int, config: WorldConfig) -> Dataset:
    """Make every row of the default world; the same seed and settings give the same rows.

    Training prompts are drawn with repetition, so that a question may be asked several times under several ids; the
    prompts of validation and test are all different, and none of them is asked in training.
    """
    people = make_people(seed, config)
    training = people.topics["train"]
    drawn = draw_questions(training, PROMPT_MIX, config.train_prompts, chance(seed, "training prompts"))
    return Dataset(
        corpus=make_corpus(people, config.corpus_documents, chance(seed, "corpus")),
        demonstrations=make_demonstrations(training, config, chance(seed, "demonstrations")),
        prompts=(
            *make_prompts(drawn, "train"),
            *make_prompts(all_questions(people.topics["validation"]), "validation"),
            *make_prompts(all_questions(people.topics["test"]), "test"),
        ),
        probe=make_probe(people),
    )
