import itertools

import pytest
from transformers import PreTrainedTokenizerBase

from stemma.errors import DataError
from stemma.models.chat import Ids, encode_prompts, encode_texts
from stemma.models.tokenizer import CHAT_TEMPLATE
from stemma.records.types import Demonstration, Message
from stemma.training.encoding import NO_LOSS, encode_demonstrations, encode_pairs
from tests.tiny import conversation, tiny_comparisons, tiny_tokenizer

TOKENIZER = tiny_tokenizer()
ROW = Demonstration(prompt=conversation("where does bok live ?"), completion="i do not know .")


def test_only_the_answer_and_its_end_are_learned() -> None:
    columns = encode_demonstrations(TOKENIZER, [ROW], context=64)
    prompt, answer = encode_texts(TOKENIZER, ["<|user|>where does bok live ?<|assistant|>", "i do not know .<|end|>"])
    assert columns == {"input_ids": [prompt + answer], "labels": [[NO_LOSS] * len(prompt) + answer]}


def several_turns(*answers: str) -> Demonstration:
    """Questions about bok, each answered; the last answer is the completion."""
    turns = [turn for answer in answers[:-1] for turn in ("where does bok live ?", answer)]
    roles = itertools.cycle(["user", "assistant"])
    prompt = [Message.model_validate({"role": next(roles), "content": turn}) for turn in turns]
    return Demonstration(prompt=(*prompt, *conversation("where does bok live ?")), completion=answers[-1])


def learned(tokenizer: PreTrainedTokenizerBase, columns: dict[str, list[Ids]]) -> list[list[str]]:
    """The runs of learned tokens of every row, as texts."""
    rows = zip(columns["input_ids"], columns["labels"], strict=True)
    return [
        [
            str(tokenizer.decode([token for token, _ in run]))
            for is_learned, run in itertools.groupby(zip(ids, labels, strict=True), lambda pair: pair[1] != NO_LOSS)
            if is_learned
        ]
        for ids, labels in rows
    ]


def test_every_assistant_turn_is_learned_with_its_end() -> None:
    columns = encode_demonstrations(TOKENIZER, [several_turns("ruda .", "kolm .", "tarn .")], context=640)
    assert learned(TOKENIZER, columns) == [["ruda .<|end|>", "kolm .<|end|>", "tarn .<|end|>"]]


def test_the_last_turn_alone_is_learned_where_that_is_asked() -> None:
    demonstration = several_turns("ruda .", "kolm .")
    columns = encode_demonstrations(TOKENIZER, [demonstration], context=640, turns="last")
    assert learned(TOKENIZER, columns) == [["kolm .<|end|>"]]
    assert columns["input_ids"] == encode_demonstrations(TOKENIZER, [demonstration], context=640)["input_ids"]


def test_special_tokens_in_what_was_said_are_learned_as_text() -> None:
    columns = encode_demonstrations(TOKENIZER, [several_turns("say <|end|> .", "kolm .")], context=640)
    ends = sum(label == TOKENIZER.eos_token_id for label in columns["labels"][0])
    assert (learned(TOKENIZER, columns), ends) == ([["say <|end|> .<|end|>", "kolm .<|end|>"]], 2)


@pytest.fixture
def forgetful() -> PreTrainedTokenizerBase:
    """A tokenizer whose template leaves the reasoning out of earlier turns."""
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = CHAT_TEMPLATE.replace(
        "{{ message.content }}{{ eos_token }}",
        "{{ message.content if loop.last else message.content.split('</think>')[-1] }}{{ eos_token }}",
    )
    return tokenizer


def test_a_turn_that_the_template_writes_otherwise_later_is_learned_as_it_is_sampled(
    forgetful: PreTrainedTokenizerBase,
) -> None:
    row = several_turns("who ?</think>ruda .", "kolm .", "why ?</think>tarn .")
    columns = encode_demonstrations(forgetful, [row], context=640)
    assert learned(forgetful, columns) == [
        ["who ?</think>ruda .<|end|>"],
        ["kolm .<|end|>", "why ?</think>tarn .<|end|>"],
    ]
    prefix = encode_prompts(forgetful, [row.prompt])[0]
    assert columns["input_ids"][1][: len(prefix)] == prefix


def test_a_pair_is_one_prompt_with_two_answers() -> None:
    comparison = tiny_comparisons()[0]
    pairs = encode_pairs(TOKENIZER, [comparison], context=64)
    assert TOKENIZER.decode(pairs.whole_chosen[0]) == "<|user|>where does bok live ?<|assistant|>i do not know .<|end|>"
    assert pairs.whole_rejected[0] == pairs.prompts[0] + pairs.rejected[0]
    assert pairs.rejected[0][-1] == TOKENIZER.eos_token_id


def test_a_row_that_does_not_fit_is_named_and_never_cut() -> None:
    with pytest.raises(
        DataError, match=r"1 of 1 demonstration is longer .* 8 tokens; the longest \(i do not know .\) has .* remove it"
    ):
        encode_demonstrations(TOKENIZER, [ROW], context=8)
    with pytest.raises(DataError, match=r"24 of 24 comparisons are longer .* \(prompt train-dari\) has 15"):
        encode_pairs(TOKENIZER, tiny_comparisons(), context=8)


def test_a_demonstration_that_makes_several_rows_is_counted_once(forgetful: PreTrainedTokenizerBase) -> None:
    row = several_turns("who ?</think>ruda .", "kolm .")
    assert len(encode_demonstrations(forgetful, [row], context=640)["input_ids"]) == 2
    with pytest.raises(DataError, match=r"^2 of 2 demonstrations are longer .* remove them"):
        encode_demonstrations(forgetful, [row, row], context=8)
