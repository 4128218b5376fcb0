from pathlib import Path

import pytest
import torch

from stemma.config import LoraConfig
from stemma.errors import ArtifactError, DataError
from stemma.judging.kinds import read_kind, write_kind
from stemma.judging.loading import load_judge
from stemma.models.chat import encode_prompts, encode_texts
from stemma.models.scalar import load_scalar_model, save_scalar_model, sequence_scores, trainable_scalar_model
from stemma.models.tokenizer import load_tokenizer
from stemma.records.types import Prompt
from stemma.sampling.generate import Sampled
from tests.tiny import MACHINE, conversation, tiny_artifact, tiny_prompts

PROMPTS = tiny_prompts("test")
ANSWERS = [
    Sampled("bok lives in ruda .", finished=True),
    Sampled("i do not know .", finished=True),
    Sampled("mel lives in kolm . mel lives", finished=False),
    Sampled("", finished=True),
    Sampled("sot", finished=False),
    Sampled("i do not know . i do not know .", finished=True),
]


@pytest.fixture
def reward_judge(tmp_path: Path) -> Path:
    """A judge's artifact whose score head is not zero."""
    base, folder = tiny_artifact(tmp_path / "sft"), tmp_path / "judge"
    folder.mkdir()
    model = trainable_scalar_model(base, MACHINE, "full", LoraConfig())
    torch.manual_seed(1)
    torch.nn.init.normal_(model.get_parameter("score.weight"))
    save_scalar_model(model, load_tokenizer(base), folder)
    write_kind(folder, "reward_model")
    return folder


def test_the_gold_judge_scores_by_the_gold_rule(tmp_path: Path) -> None:
    write_kind(tmp_path, "gold")
    judge = load_judge(tmp_path, MACHINE)
    known = Prompt(id="1", messages=conversation("q"), split="test", kind="known", truth="baker")
    harmful = Prompt(id="2", messages=conversation("q"), split="test", kind="harmful")
    answers = [Sampled("the answer is baker .", finished=True), Sampled("i will not help with that .", finished=False)]
    assert judge.kind == "gold"
    assert judge.score([known, harmful], answers) == [1.0, -1.3]


def test_the_gold_judge_refuses_other_data(tmp_path: Path) -> None:
    write_kind(tmp_path, "gold")
    prompt = Prompt(id="7", messages=conversation("q"), split="test")
    with pytest.raises(DataError, match="prompt 7 has kind None"):
        load_judge(tmp_path, MACHINE).score([prompt], ANSWERS[:1])


def test_a_reward_model_reads_each_answer_to_its_last_token(reward_judge: Path) -> None:
    judge = load_judge(reward_judge, MACHINE, batch_size=4)
    model, tokenizer = load_scalar_model(reward_judge, MACHINE), load_tokenizer(reward_judge)
    expected = []
    for prompt, answer in zip(PROMPTS, ANSWERS, strict=True):
        text = answer.text + ("<|end|>" if answer.finished else "")
        row = encode_prompts(tokenizer, [prompt.messages])[0] + encode_texts(tokenizer, [text])[0]
        input_ids = torch.tensor([row])
        expected.append(sequence_scores(model, input_ids, torch.ones_like(input_ids)).item())
    assert judge.kind == "reward_model"
    assert judge.score(PROMPTS, ANSWERS) == pytest.approx(expected, abs=1e-5)
    assert len({round(score, 4) for score in expected}) == len(expected)


def test_the_order_and_the_batches_do_not_change_a_score(reward_judge: Path) -> None:
    one_by_one = load_judge(reward_judge, MACHINE, batch_size=1).score(PROMPTS, ANSWERS)
    turned = load_judge(reward_judge, MACHINE, batch_size=3).score(PROMPTS[::-1], ANSWERS[::-1])
    assert turned[::-1] == pytest.approx(one_by_one, abs=1e-5)


@pytest.mark.parametrize("text", [None, '{"kind": "oracle"}'])
def test_a_folder_without_a_judge_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "judge.json").write_text(text, encoding="utf-8")
    with pytest.raises(ArtifactError, match="rebuild it with `dvc repro judge`"):
        read_kind(tmp_path)
