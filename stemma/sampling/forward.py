"""What a model says at each token of the responses, in one plain forward without a cache."""

import inspect

from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel

from stemma.models.positions import position_ids
from stemma.models.scalar import token_values


def response_logits(
    policy: PreTrainedModel | PeftModel,
    sequences: Tensor,
    attention_mask: Tensor,
    length: int,
    temperature: float = 1.0,
) -> Tensor:
    """Logits of the distribution that each response token was drawn from, in 32 bits.

    Shapes: sequences and attention_mask (b, p + t), prompt and response; `length` is t → (b, t, vocabulary). The head
    is applied to the response's positions alone.
    """
    whole = policy.get_base_model() if isinstance(policy, PeftModel) else policy
    takes_positions = "position_ids" in inspect.signature(whole.forward).parameters
    places = {"position_ids": position_ids(attention_mask)} if takes_positions else {}
    output = policy(
        input_ids=sequences, attention_mask=attention_mask, logits_to_keep=length + 1, use_cache=False, **places
    )
    logits: Tensor = output.logits[:, :-1].float()
    return logits if temperature == 1.0 else logits / temperature


def response_values(
    value_model: PreTrainedModel | PeftModel, sequences: Tensor, attention_mask: Tensor, length: int
) -> Tensor:
    """V(s_t) before each response token, of the prompt and the tokens so far. Shapes: (b, p + t) → (b, t)."""
    return token_values(value_model, sequences, attention_mask)[:, -length - 1 : -1]
