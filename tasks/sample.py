"""Answers of the SFT model, for annotators to compare."""

from collections import Counter
from collections.abc import Sequence
from itertools import islice

from pydantic import Field

from stemma.config import Settings
from stemma.errors import DataError
from stemma.labelling.pairs import PAIRS_FILE
from stemma.records.counting import counted
from stemma.records.json_file import write_json
from stemma.records.jsonl import read_rows, write_rows
from stemma.records.types import Prompt, Split
from stemma.stage.door import Stage, run_stage
from stemma.training.seeds import derived_seed

HELD_OUT: tuple[Split, ...] = ("judge", "validation", "test")


class SampleConfig(Settings):
    """Which prompts are answered, and how the answers are drawn."""

    round: int = Field(0, ge=0)
    """Number of the round, which `retrain` sets: each round draws answers of its own, of the same policy too."""
    responses: int = Field(4, ge=0)
    """Answers to each prompt; 0 draws none, for labels that your data already holds."""
    pairs: int | None = Field(2, ge=1)
    """Pairs of a prompt's answers that are labelled, at most, those that share few words first; null takes all. With
    more answers than pairs, rare answers meet the others more often."""
    train_prompts: int | None = Field(None, ge=1)
    """Training prompts to answer, the first so many; null answers all."""
    held_out_prompts: int | None = Field(None, ge=0)
    """Prompts of the judge, validation and test split to answer, the first so many of each; null answers all."""
    temperature: float = Field(1.0, gt=0)
    """Divides the logits; 1 draws from the policy's own distribution, which is what RL will show the reward model."""
    max_new_tokens: int = Field(24, ge=1)
    """Length limit of an answer; the longest answer of the default world has 23 tokens."""
    batch_size: int = Field(256, ge=1)
    """Answers drawn at once; lower it where memory is short. Which answers are drawn depends on it."""


def sample_answers(config: SampleConfig, stage: Stage) -> None:
    """Write responses.jsonl: answers of artifacts/sft to the prompts of artifacts/data."""
    write_json(stage.output / PAIRS_FILE, {"pairs": config.pairs})
    path = stage.input("data") / "prompts.jsonl"
    prompts = chosen_prompts(read_rows(path, Prompt), config) if config.responses else []
    if config.responses and not prompts:
        raise DataError(f"{path} has no prompts to answer: add some to data.files, or set sample.responses to 0")
    counts = Counter(prompt.split for prompt in prompts)
    stage.progress.say(
        ", ".join(counted(number, f"{split} prompt") for split, number in counts.items()) or "nothing to answer"
    )
    if not prompts:
        write_rows(stage.output / "responses.jsonl", [])
        return
    _draw(prompts, config, stage)


def chosen_prompts(prompts: Sequence[Prompt], config: SampleConfig) -> list[Prompt]:
    """The prompts to answer, by split."""
    wanted: dict[Split, int | None] = {
        "train": config.train_prompts,
        **dict.fromkeys(HELD_OUT, config.held_out_prompts),
    }
    return [
        prompt
        for split, number in wanted.items()
        for prompt in islice((prompt for prompt in prompts if prompt.split == split), number)
    ]


def _draw(prompts: Sequence[Prompt], config: SampleConfig, stage: Stage) -> None:
    from stemma.models.chat import check_fits, encode_prompts
    from stemma.models.policy import context_of, load_policy
    from stemma.models.seeding import seed_everything
    from stemma.models.tokenizer import load_tokenizer
    from stemma.sampling.collection import Sampling, collect

    seed_everything(stage.seed, stage.machine.threads)
    policy, tokenizer = load_policy(stage.input("sft"), stage.machine), load_tokenizer(stage.input("sft"))
    lengths = [len(ids) for ids in encode_prompts(tokenizer, [prompt.messages for prompt in prompts])]
    check_fits(lengths, context_of(policy), config.max_new_tokens, [prompt.id for prompt in prompts])
    seed = derived_seed(stage.seed, "round", config.round) % 2**31 if config.round else stage.seed
    sampling = Sampling(config.responses, config.max_new_tokens, config.temperature, config.batch_size, seed=seed)
    responses = collect(policy, tokenizer, prompts, sampling, stage.scratch, stage.progress)
    write_rows(stage.output / "responses.jsonl", responses)


if __name__ == "__main__":
    run_stage("sample", SampleConfig, sample_answers)
