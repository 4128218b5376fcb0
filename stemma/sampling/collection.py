"""Answers to many prompts, drawn chunk by chunk, so that a kill costs one chunk."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from stemma.records.jsonl import read_rows, write_rows
from stemma.records.types import Prompt, Response
from stemma.sampling.generate import generate
from stemma.stage.durable import sync
from stemma.stage.progress import Progress
from stemma.world.chance import chance

CHUNK = 512
"""Prompts whose answers are written to the scratch folder together."""


class Sampling(NamedTuple):
    """How answers are drawn."""

    responses: int
    """To each prompt."""
    max_new_tokens: int
    temperature: float
    batch_size: int
    seed: int


def collect(
    policy: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    scratch: Path,
    progress: Progress,
) -> list[Response]:
    """Answer every prompt as often as told, in the prompts' order; what a killed process had finished is taken over."""
    chunks = [prompts[start : start + CHUNK] for start in range(0, len(prompts), CHUNK)]
    files = [scratch / f"responses-{number}.jsonl" for number in range(len(chunks))]
    done = sum(file.exists() for file in files)
    progress.resume_from(done)
    progress.at(done, len(chunks))
    rows: list[Response] = []
    for number, (chunk, file) in enumerate(zip(chunks, files, strict=True)):
        if not file.exists():
            drawn = _draw(policy, tokenizer, chunk, sampling, chance(sampling.seed, "sample", number).getrandbits(62))
            writing = file.with_suffix(".writing")
            write_rows(writing, drawn)
            sync(writing)
            writing.rename(file)
            progress.log(number + 1, len(chunks), {"response/finished": sum(r.finished for r in drawn) / len(drawn)})
            progress.kept(number + 1)
        rows += read_rows(file, Response)
    return rows


def _draw(
    policy: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Prompt],
    sampling: Sampling,
    seed: int,
) -> list[Response]:
    asked = [(prompt, index) for prompt in prompts for index in range(sampling.responses)]
    answers = generate(
        policy,
        tokenizer,
        [prompt.messages for prompt, _ in asked],
        max_new_tokens=sampling.max_new_tokens,
        temperature=sampling.temperature,
        seed=seed,
        batch_size=sampling.batch_size,
    )
    return [
        Response(prompt_id=prompt.id, index=index, text=answer.text, finished=answer.finished)
        for (prompt, index), answer in zip(asked, answers, strict=True)
    ]
