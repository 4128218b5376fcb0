"""What a model's own generation_config may say: which tokens end and pad, and nothing of how tokens are chosen."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from peft import PeftModel
from transformers import GenerationConfig, PreTrainedModel


@contextmanager
def own_generation_config_ignored(model: PreTrainedModel | PeftModel) -> Iterator[None]:
    """Within it, `generate` does what the generation_config it is given says, and nothing that the model's own adds.

    transformers fills every field that is None in the given one from the model's own: min_p, suppress_tokens,
    bad_words_ids, sequence_bias, … would bend the distribution that tokens are drawn from.
    """
    whole: Any = model.get_base_model() if isinstance(model, PeftModel) else model
    holders: list[Any] = [whole, model] if isinstance(model, PeftModel) else [whole]
    own = [holder.generation_config for holder in holders]
    for holder in holders:
        holder.generation_config = GenerationConfig()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        for holder, config in zip(holders, own, strict=True):
            holder.generation_config = config
