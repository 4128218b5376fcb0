import pytest

from stemma.errors import DataError
from stemma.models.chat import encode_texts
from stemma.records.types import Demonstration
from stemma.training.encoding import NO_LOSS, encode_demonstrations, encode_pairs
from tests.tiny import conversation, tiny_comparisons, tiny_tokenizer

TOKENIZER = tiny_tokenizer()
ROW = Demonstration(prompt=conversation("where does bok live ?"), completion="i do not know .")


def test_only_the_answer_and_its_end_are_learned() -> None:
    columns = encode_demonstrations(TOKENIZER, [ROW], context=64)
    prompt, answer = encode_texts(TOKENIZER, ["<|user|>where does bok live ?<|assistant|>", "i do not know .<|end|>"])
    assert columns == {"input_ids": [prompt + answer], "labels": [[NO_LOSS] * len(prompt) + answer]}


def test_a_pair_is_one_prompt_with_two_answers() -> None:
    comparison = tiny_comparisons()[0]
    pairs = encode_pairs(TOKENIZER, [comparison], context=64)
    assert TOKENIZER.decode(pairs.whole_chosen[0]) == "<|user|>where does bok live ?<|assistant|>i do not know .<|end|>"
    assert pairs.whole_rejected[0] == pairs.prompts[0] + pairs.rejected[0]
    assert pairs.rejected[0][-1] == TOKENIZER.eos_token_id


def test_a_row_that_does_not_fit_is_named_and_never_cut() -> None:
    with pytest.raises(
        DataError, match=r"1 of 1 demonstrations are longer .* 8 tokens; the longest \(i do not know .\) has"
    ):
        encode_demonstrations(TOKENIZER, [ROW], context=8)
    with pytest.raises(DataError, match=r"24 of 24 comparisons are longer .* \(prompt train-dari\) has 15"):
        encode_pairs(TOKENIZER, tiny_comparisons(), context=8)
