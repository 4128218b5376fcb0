from pathlib import Path

import pytest
import torch
from peft import PeftModel
from torch import Tensor, tensor
from torch.testing import assert_close

from stemma.config import LoraConfig, Tuning
from stemma.models.scalar import sequence_scores, token_values
from stemma.objectives.logprobs import token_logprobs
from stemma.sampling.decoding import Decoding
from stemma.sampling.prompts import pad_left
from stemma.sampling.rollouts import PpoModels, Rollouts, collect_rollouts
from stemma.training.ppo_models import load_ppo_models
from tests.tiny import MACHINE, tiny_artifact
from tests.tiny_reward import tiny_reward_artifact

END, PAD = 3, 4
PROMPTS = [[7, 8, 9, 10], [11, 12], [13, 14, 15], [8]] * 4
DECODING = Decoding(max_new_tokens=8, temperature=1.0, eos_token_id=END, pad_token_id=PAD)


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("artifacts")
    tiny_reward_artifact(root / "reward", tiny_artifact(root / "sft"))
    return root


def load(artifacts: Path, tuning: Tuning = "full") -> PpoModels:
    """Four models whose policies know eight tokens only, so that responses end at all lengths."""
    torch.manual_seed(0)  # adapters begin with random weights
    models = load_ppo_models(artifacts / "sft", artifacts / "reward", MACHINE, tuning, LoraConfig(r=2, alpha=4))
    for number, policy in enumerate((models.policy, models.ref_policy)):
        if policy is not None:
            head = torch.nn.Linear(32, 8, bias=False)
            torch.nn.init.normal_(head.weight, generator=torch.Generator().manual_seed(number))
            (policy.get_base_model() if isinstance(policy, PeftModel) else policy).lm_head = head
            policy.eval()
    return models


def collect(models: PpoModels, decoding: Decoding = DECODING, chunk_size: int = 16) -> Rollouts:
    return collect_rollouts(models, pad_left(PROMPTS, PAD, torch.device("cpu")), decoding, 0, chunk_size)


def unpadded(rollouts: Rollouts) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Each row's index, whole sequence without padding, and how many of its tokens are the response."""
    rows = zip(rollouts.sequences, rollouts.attention_mask.bool(), rollouts.mask, strict=True)
    return [(tensor(i), ids[kept].unsqueeze(0), mask.sum()) for i, (ids, kept, mask) in enumerate(rows)]


def plain_logprobs(policy: torch.nn.Module, sequence: Tensor, length: Tensor, temperature: float = 1.0) -> Tensor:
    logits = policy(sequence).logits[0, -length - 1 : -1] / temperature
    return token_logprobs(logits, sequence[0, -length:])


@torch.no_grad()
def test_each_number_is_that_of_a_plain_forward_without_cache_and_padding(artifacts: Path) -> None:
    models = load(artifacts)
    rollouts = collect(models)
    assert len(set(rollouts.mask.sum(-1).tolist())) > 3  # responses of many lengths
    assert models.ref_policy is not None
    for row, sequence, length in unpadded(rollouts):
        mask = rollouts.mask[row]
        everything = torch.ones_like(sequence)
        assert_close(rollouts.logprobs[row][mask], plain_logprobs(models.policy, sequence, length))
        assert_close(rollouts.ref_logprobs[row][mask], plain_logprobs(models.ref_policy, sequence, length))
        ours, reference = (
            torch.log_softmax(model(sequence).logits[0, -length - 1 : -1], -1)
            for model in (models.policy, models.ref_policy)
        )
        assert_close(rollouts.kls[row][mask], (ours.exp() * (ours - reference)).sum(-1), atol=1e-5, rtol=1e-4)
        values = token_values(models.value_model, sequence, everything)[0, -length - 1 : -1]
        assert_close(rollouts.values[row][mask], (values - 0.5) / 2)
        score = sequence_scores(models.reward_model, sequence, everything)
        assert_close(rollouts.scores[row], (score[0] - 0.5) / 2)
        assert rollouts.finished[row] == (sequence[0, -1] == END)


@torch.no_grad()
def test_logprobs_are_those_of_the_distribution_sampled_from(artifacts: Path) -> None:
    models = load(artifacts)
    rollouts = collect(models, DECODING._replace(temperature=0.5))
    assert models.ref_policy is not None
    for row, sequence, length in unpadded(rollouts):
        mask = rollouts.mask[row]
        expected = plain_logprobs(models.policy, sequence, length, temperature=0.5)
        assert_close(rollouts.logprobs[row][mask], expected)
        assert_close(rollouts.sampler_logprobs[row][mask], expected)
        assert_close(rollouts.ref_logprobs[row][mask], plain_logprobs(models.ref_policy, sequence, length, 0.5))
        logits = models.policy(sequence).logits[0, -length - 1 : -1] / 0.5
        assert_close(rollouts.entropies[row][mask], -(logits.softmax(-1) * logits.log_softmax(-1)).sum(-1))


def test_chunks_change_nothing(artifacts: Path) -> None:
    models = load(artifacts)
    whole, chunked = collect(models), collect(models, chunk_size=5)
    for first, second in zip(whole, chunked, strict=True):
        assert_close(first, second)


@torch.no_grad()
def test_the_reference_of_adapters_is_the_policy_without_them(artifacts: Path) -> None:
    models = load(artifacts, "lora")
    before = collect(models)
    assert_close(before.logprobs, before.ref_logprobs, rtol=0, atol=0)
    for name, parameter in models.policy.named_parameters():
        if "lora_B" in name:
            parameter.fill_(0.3)
    after = collect(models)
    for row, sequence, length in unpadded(after):
        mask = after.mask[row]
        expected = plain_logprobs(models.policy, sequence, length)
        assert_close(after.logprobs[row][mask], expected, rtol=1e-4, atol=1e-4)  # its logits are in the tens
        assert isinstance(models.policy, PeftModel)
        with models.policy.disable_adapter():
            assert_close(after.ref_logprobs[row][mask], plain_logprobs(models.policy, sequence, length))
    assert (after.logprobs - after.ref_logprobs).abs().max() > 0.01
