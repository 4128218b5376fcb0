import pytest
import torch
from transformers import PreTrainedModel

from stemma.models.chat import encode_prompts
from stemma.models.policy import for_use
from stemma.sampling.generate import Sampled, generate
from tests.tiny import conversation, tiny_model, tiny_tokenizer

TOKENIZER = tiny_tokenizer()
CONVERSATIONS = [conversation(text) for text in ("where does bok live ?", "i", "bok lives in kolm . bok", "pim")]


@pytest.fixture
def policy() -> PreTrainedModel:
    return for_use(tiny_model(TOKENIZER))


def answers(policy: PreTrainedModel, temperature: float, seed: int = 0, batch_size: int = 4) -> list[Sampled]:
    return generate(
        policy,
        TOKENIZER,
        CONVERSATIONS,
        max_new_tokens=5,
        temperature=temperature,
        seed=seed,
        batch_size=batch_size,
    )


def test_greedy_answers_come_in_the_order_of_the_conversations_whatever_the_batches(policy: PreTrainedModel) -> None:
    together = answers(policy, temperature=0)
    assert together == answers(policy, temperature=0, batch_size=1) == answers(policy, temperature=0, batch_size=3)
    alone = [
        generate(policy, TOKENIZER, [c], max_new_tokens=5, temperature=0, seed=9, batch_size=1)[0]
        for c in CONVERSATIONS
    ]
    assert together == alone


def test_the_seed_decides(policy: PreTrainedModel) -> None:
    assert answers(policy, temperature=1, seed=1) == answers(policy, temperature=1, seed=1)
    assert answers(policy, temperature=1, seed=1) != answers(policy, temperature=1, seed=2)


def test_batches_of_one_run_draw_apart(policy: PreTrainedModel) -> None:
    same = [CONVERSATIONS[0]] * 4
    drawn = generate(policy, TOKENIZER, same, max_new_tokens=5, temperature=1, seed=0, batch_size=2)
    assert drawn[:2] != drawn[2:]


def test_an_answer_is_told_without_its_end_token(policy: PreTrainedModel) -> None:
    prompt = torch.tensor(encode_prompts(TOKENIZER, [CONVERSATIONS[1]]))
    first = policy(prompt).logits[0, -1].argmax().item()
    tokenizer = tiny_tokenizer()
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(first)
    ended = generate(policy, tokenizer, [CONVERSATIONS[1]], max_new_tokens=5, temperature=0, seed=0, batch_size=1)
    assert ended == [Sampled("", finished=True, tokens=(first,))]


def test_no_conversations_no_answers(policy: PreTrainedModel) -> None:
    assert generate(policy, TOKENIZER, [], max_new_tokens=5, temperature=1, seed=0, batch_size=2) == []


def test_the_text_is_that_of_the_tokens(policy: PreTrainedModel) -> None:
    for answer in answers(policy, temperature=1):
        assert answer.text == TOKENIZER.decode(list(answer.tokens), skip_special_tokens=True)
        assert answer.finished == (answer.tokens[-1] == TOKENIZER.eos_token_id)
