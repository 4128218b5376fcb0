"""An answer that was cut at the length limit is nowhere taught to end: it is read as PPO and evaluation score it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close
from transformers import AutoModelForSequenceClassification

from stemma.config import LoraConfig
from stemma.judging.reward_judge import RewardModelJudge
from stemma.labelling.aggregation import aggregate, comparisons_of
from stemma.labelling.annotators import AnnotatorConfig
from stemma.labelling.pairs import pair_responses
from stemma.labelling.quality.votes import gather
from stemma.labelling.simulation import judge_pairs
from stemma.models.batching import pad_right
from stemma.models.chat import Ids, encode_answers, encode_prompts, encode_texts
from stemma.models.scoring import score_rows
from stemma.records.json_file import write_json
from stemma.records.jsonl import write_rows
from stemma.records.types import Comparison, Demonstration, Prompt, Response
from stemma.sampling.decoding import Decoding
from stemma.sampling.prompts import pad_left
from stemma.sampling.rollouts import PpoModels, Rollouts, collect_rollouts
from stemma.stage.door import Stage
from stemma.training.dpo import _EncodedTrainer
from stemma.training.encoding import NO_LOSS, encode_demonstrations, encode_pairs
from stemma.training.ppo_models import load_ppo_models
from stemma.training.reward import _SoftRewardTrainer
from tasks.dpo import DpoConfig, train_dpo
from tasks.reward import RewardConfig, train_reward
from tests.tiny import MACHINE, conversation, tiny_artifact, tiny_comparisons, tiny_stage, tiny_tokenizer

TOKENIZER = tiny_tokenizer()
END, PAD = int(TOKENIZER.eos_token_id), int(TOKENIZER.pad_token_id)
PROMPT = Prompt(id="p", messages=conversation("where does bok live ?"), split="train", kind="unknown")
SHORT, CUT = "i do not know .", "bok lives in"
CUT_LOSES = Comparison(
    prompt_id="p", prompt=PROMPT.messages, chosen=SHORT, rejected=CUT, rejected_finished=False, split="train"
)
CUT_WINS = Comparison(
    prompt_id="p", prompt=PROMPT.messages, chosen=CUT, rejected=SHORT, chosen_finished=False, split="train"
)


def text_ids(text: str) -> Ids:
    (ids,) = encode_texts(TOKENIZER, [text])
    return ids


def test_a_cut_answer_of_a_pair_has_no_end() -> None:
    pairs = encode_pairs(TOKENIZER, [CUT_LOSES, CUT_WINS], 64)
    finished, cut = [*text_ids(SHORT), END], text_ids(CUT)
    assert (pairs.chosen, pairs.rejected) == ([finished, cut], [cut, finished])


def test_no_end_is_learned_after_a_cut_demonstration() -> None:
    rows = [Demonstration(prompt=PROMPT.messages, completion=CUT, finished=end) for end in (True, False)]
    labels = encode_demonstrations(TOKENIZER, rows, 64)["labels"]
    learned = [[label for label in row if label != NO_LOSS] for row in labels]
    assert learned == [[*text_ids(CUT), END], text_ids(CUT)]


@pytest.fixture(scope="module")
def models(artifacts: Path) -> PpoModels:
    return load_ppo_models(artifacts / "sft", artifacts / "reward", MACHINE, "full", LoraConfig())


def scored_by_ppo(models: PpoModels, tokens: Ids) -> Rollouts:
    """What PPO makes of a response that the policy draws as these tokens, the limit being their number."""
    policy: Any = models.policy

    def generate(input_ids: Tensor, logits_processor: Sequence[Any], **_: Any) -> Tensor:
        for _token in tokens:
            logits_processor[0](input_ids, torch.zeros(1, len(TOKENIZER)))
        return torch.cat([input_ids, torch.tensor([tokens])], dim=1)

    policy.generate = generate
    prompts = pad_left(encode_prompts(TOKENIZER, [PROMPT.messages]), PAD, torch.device("cpu"))
    return collect_rollouts(models, prompts, Decoding(len(tokens), 1.0, END, PAD), 0, 8)


WORDS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20).filter(str.strip)


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(WORDS, min_size=2, max_size=2, unique=True), ends=st.tuples(st.booleans(), st.booleans()))
def test_the_reward_model_is_trained_on_the_very_tokens_that_ppo_scores(
    models: PpoModels, texts: list[str], ends: tuple[bool, bool]
) -> None:
    drawn = [text_ids(text) + [END] * end for text, end in zip(texts, ends, strict=True)]
    rollouts = [scored_by_ppo(models, tokens) for tokens in drawn]
    assert [bool(seen.finished[0]) for seen in rollouts] == list(ends)
    responses = [
        Response(prompt_id="p", index=index, text=text, finished=end)
        for index, (text, end) in enumerate(zip(texts, ends, strict=True))
    ]
    (comparison,) = labelled(responses)
    pairs = encode_pairs(TOKENIZER, [comparison], 640)
    for text, whole in ((comparison.chosen, pairs.whole_chosen), (comparison.rejected, pairs.whole_rejected)):
        seen = rollouts[texts.index(text)]
        assert whole[0] == seen.sequences[0][seen.attention_mask[0].bool()].tolist()
        score = torch.tensor(score_rows(models.reward_model, whole, 1))
        assert_close(models.scaling.apply(score), seen.scores)


def labelled(responses: Sequence[Response]) -> list[Comparison]:
    """One comparison of the two responses, by a simulated annotator who prefers the one shown first."""
    (pair,) = pair_responses({"p": PROMPT}, responses, seed=0).pairs
    judged = judge_pairs([pair], [AnnotatorConfig(name="a", noise=0.0)], 1, 0.0, seed=0)
    verdicts = [one.model_copy(update={"choice": "first"}) for one in judged[0].verdicts]
    return comparisons_of(aggregate(gather(verdicts), "majority"), {"p": PROMPT}, soft=False)


def test_the_score_is_read_at_the_last_real_token_beside_longer_rows(artifacts: Path, models: PpoModels) -> None:
    prompts = encode_prompts(TOKENIZER, [PROMPT.messages] * 3)
    answers = encode_answers(TOKENIZER, [CUT, f"{SHORT} {SHORT}", CUT], [False, True, True])
    rows = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
    alone = [score_rows(models.reward_model, [row], 1)[0] for row in rows]
    assert score_rows(models.reward_model, rows, 3) == pytest.approx(alone, abs=1e-5)
    assert abs(alone[0] - alone[2]) > 1e-3  # the end of an answer is read
    # TRL's trainer reads the score through the library's own model, which looks for the last token that is no padding.
    whole = AutoModelForSequenceClassification.from_pretrained(artifacts / "reward").eval()
    ids, mask = pad_right(rows, PAD, torch.device("cpu"))
    with torch.no_grad():
        assert whole(input_ids=ids, attention_mask=mask).logits.squeeze(-1).tolist() == pytest.approx(alone, abs=1e-5)
    cut = Response(prompt_id="p", index=0, text=CUT, finished=False)
    judge = RewardModelJudge(artifacts / "reward", MACHINE, 2)
    assert judge.score([PROMPT], [cut]) == pytest.approx(alone[:1], abs=1e-5)


def stage_with(root: Path, name: str) -> Stage:
    tiny_artifact(root / "artifacts" / "sft")
    (root / "artifacts" / "label").mkdir()
    write_rows(root / "artifacts" / "label" / "comparisons.jsonl", [CUT_LOSES, CUT_WINS, *tiny_comparisons("test")])
    (root / "artifacts" / "data").mkdir()
    write_json(root / "artifacts" / "data" / "report.json", {"gold": False})
    return tiny_stage(root, name, ["sft", "label", "data"])


def batches_of(trainer: type[Any], monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Tensor]]:
    """The batches that reach a trainer's loss, as TRL has collated them; training is as ever."""
    seen: list[dict[str, Tensor]] = []
    plain = trainer.compute_loss

    def compute_loss(self: Any, model: Any, inputs: Any, *args: Any, **given: Any) -> Any:
        seen.append({name: value.clone() for name, value in inputs.items() if isinstance(value, Tensor)})
        return plain(self, model, inputs, *args, **given)

    monkeypatch.setattr(trainer, "compute_loss", compute_loss)
    return seen


def rows_of(batch: dict[str, Tensor]) -> set[tuple[int, ...]]:
    rows = zip(batch["input_ids"], batch["attention_mask"].bool(), strict=True)
    return {tuple(ids[mask].tolist()) for ids, mask in rows}


@pytest.mark.parametrize("method", ["reward", "dpo"])
def test_trainers_append_no_end(method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = stage_with(tmp_path, method)
    (prompt,) = encode_prompts(TOKENIZER, [PROMPT.messages])
    if method == "reward":
        batches = batches_of(_SoftRewardTrainer, monkeypatch)
        train_reward(RewardConfig(batch_size=2, epochs=1, must_beat_chance=False), stage)
    else:
        batches = batches_of(_EncodedTrainer, monkeypatch)
        train_dpo(DpoConfig(batch_size=2, epochs=1), stage)
    expected = {(*prompt, *text_ids(SHORT), END), (*prompt, *text_ids(CUT))}
    assert [rows_of(batch) for batch in batches] == [expected]
