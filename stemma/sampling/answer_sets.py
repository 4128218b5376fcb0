"""All the answers of one policy that an evaluation looks at."""

from collections.abc import Sequence

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from stemma.evaluation.report import Mode
from stemma.models.chat import check_fits, encode_prompts
from stemma.models.policy import context_of
from stemma.records.types import Prompt
from stemma.sampling.generate import Sampled, generate

AnswerSet = list[list[Sampled]]
"""For each prompt, its answers."""


def draw_answers(
    policy: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Prompt],
    *,
    samples: int,
    max_new_tokens: int,
    batch_size: int,
    seed: int,
) -> dict[Mode, AnswerSet]:
    """Answer every prompt `samples` times at temperature 1, and once greedily.

    Raises DataError where a prompt leaves no room for an answer in the policy's context.
    """
    lengths = [len(ids) for ids in encode_prompts(tokenizer, [prompt.messages for prompt in prompts])]
    check_fits(lengths, context_of(policy), max_new_tokens, [prompt.id for prompt in prompts])

    def draw(count: int, temperature: float) -> AnswerSet:
        answers = generate(
            policy,
            tokenizer,
            [prompt.messages for prompt in prompts for _ in range(count)],
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            seed=seed,
            batch_size=batch_size,
        )
        return [answers[start : start + count] for start in range(0, len(answers), count)]

    return {"sampled": draw(samples, 1.0), "greedy": draw(1, 0.0)}
