"""Whether a model knows what it must: exact answers to probe questions."""

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from stemma.models.batching import pad_right
from stemma.models.chat import Ids, encode_answers, encode_prompts
from stemma.records.types import Demonstration

BATCH = 256


class Probe:
    """Questions with one right answer each."""

    def __init__(self, questions: Sequence[Demonstration], tokenizer: PreTrainedTokenizerBase) -> None:
        self.prompts: list[Ids] = encode_prompts(tokenizer, [question.prompt for question in questions])
        self.answers: list[Ids] = encode_answers(tokenizer, [question.completion for question in questions])
        self._pad = int(tokenizer.pad_token_id)

    def __len__(self) -> int:
        return len(self.prompts)

    @torch.no_grad()
    def accuracy(self, model: PreTrainedModel) -> float:
        """Share of the questions at which every token of the answer is the model's likeliest, given those before it."""
        right = 0
        for start in range(0, len(self), BATCH):
            prompts, answers = self.prompts[start : start + BATCH], self.answers[start : start + BATCH]
            rows = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
            ids, mask = pad_right(rows, self._pad, model.device)
            likeliest = model(input_ids=ids, attention_mask=mask, use_cache=False).logits.argmax(-1).tolist()
            for prompt, answer, said in zip(prompts, answers, likeliest, strict=True):
                right += said[len(prompt) - 1 : len(prompt) + len(answer) - 1] == answer
        return right / len(self)
