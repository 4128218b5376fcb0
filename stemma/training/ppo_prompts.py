"""The prompts that PPO trains on."""

from pathlib import Path

from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from stemma.errors import DataError
from stemma.models.chat import Ids, check_fits, encode_prompts
from stemma.models.policy import context_of
from stemma.records.jsonl import read_rows
from stemma.records.types import Prompt

PROMPTS = "prompts.jsonl"


def load_prompts(
    data: Path, tokenizer: PreTrainedTokenizerBase, policy: PreTrainedModel | PeftModel, max_new_tokens: int
) -> list[Ids]:
    """Token ids of the training prompts of a data artifact.

    Raises DataError where there are none, or where one leaves no room for a response in the policy's context.
    """
    prompts = [prompt for prompt in read_rows(data / PROMPTS, Prompt) if prompt.split == "train"]
    if not prompts:
        raise DataError(f"{data / PROMPTS} has no prompt of split train; PPO needs some to answer")
    encoded = encode_prompts(tokenizer, [prompt.messages for prompt in prompts])
    check_fits([len(ids) for ids in encoded], context_of(policy), max_new_tokens, [prompt.id for prompt in prompts])
    return encoded
