"""The held-out prompts that PPO's policy is asked at every look, and what its answers are worth."""

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from stemma.errors import DataError
from stemma.evaluation.repetition import repeated_share
from stemma.judging.judge import Judge
from stemma.judging.loading import load_judge
from stemma.models.chat import Ids, check_fits, encode_prompts
from stemma.models.policy import context_of
from stemma.objectives.kl import kl_k1
from stemma.objectives.logprobs import sequence_logps
from stemma.objectives.masking import masked_mean
from stemma.records.jsonl import read_rows
from stemma.records.types import Prompt
from stemma.sampling.decoding import Decoding
from stemma.sampling.generate import Sampled
from stemma.sampling.prompts import pad_left
from stemma.sampling.rollouts import PpoModels, Rollouts, collect_rollouts
from stemma.stage.door import Stage
from stemma.training.ppo_learner import Learner, autocast
from stemma.training.ppo_prompts import PROMPTS
from stemma.training.ppo_settings import PpoSettings
from stemma.training.ppo_stop_rule import Look
from stemma.training.prompt_draw import drawn
from stemma.training.seeds import derived_seed

SPLIT = "validation"
FEWEST_PROMPTS = 2
"""One prompt alone has no spread to compare a difference with."""


class Probe(NamedTuple):
    """Prompts, how they are answered, and the judge of the answers."""

    prompts: Sequence[Prompt]
    encoded: Sequence[Ids]
    judge: Judge
    tokenizer: PreTrainedTokenizerBase
    decoding: Decoding
    seed: int
    """The same at every look, so that looks differ by the policy alone."""

    def ask(self, learner: Learner, update: int) -> tuple[Look, dict[str, float]]:
        """Let the policy answer; return what the stop rule compares, and the metrics."""
        models = learner.models
        batch = pad_left(self.encoded, self.decoding.pad_token_id, models.policy.device)
        with autocast(learner.machine):
            rollouts = collect_rollouts(models, batch, self.decoding, self.seed, learner.settings.micro_batch_size)
        answers = self._texts(rollouts)
        judged = self.judge.score(self.prompts, answers)
        kl = sequence_logps(kl_k1(rollouts.logprobs, rollouts.ref_logprobs), rollouts.mask).mean().item()
        look = Look(update, rollouts.scores.tolist(), judged, kl)
        return look, {
            "watch/scores": fmean(look.scores),
            "watch/judge": fmean(judged),
            "watch/kl": kl,
            "watch/length": fmean(len(answer.tokens) for answer in answers),
            "watch/repetition": fmean(repeated_share(answer.tokens) for answer in answers),
            "watch/entropy": masked_mean(rollouts.entropies, rollouts.mask).item(),
        }

    def _texts(self, rollouts: Rollouts) -> list[Sampled]:
        tokens = rollouts.sequences[:, -rollouts.mask.shape[1] :]
        rows = [row[mask].tolist() for row, mask in zip(tokens, rollouts.mask, strict=True)]
        texts = self.tokenizer.batch_decode(rows, skip_special_tokens=True)
        return list(map(Sampled, texts, rollouts.finished.tolist(), map(tuple, rows)))


def load_probe(
    models: PpoModels, tokenizer: PreTrainedTokenizerBase, decoding: Decoding, settings: PpoSettings, stage: Stage
) -> Probe:
    """At most settings.watch.prompts validation prompts of the stage's data, drawn by the seed, and its judge.

    Raises DataError where there are too few to compare looks on, or where one leaves no room for an answer in the
    policy's context.
    """
    file = stage.input("data") / PROMPTS
    prompts = [prompt for prompt in read_rows(file, Prompt) if prompt.split == SPLIT]
    if len(prompts) < FEWEST_PROMPTS:
        raise DataError(
            f"{file} has {len(prompts)} prompts of split {SPLIT}, and watching PPO needs at least {FEWEST_PROMPTS}: "
            "raise data.validation_share, or train unwatched with ppo.watch.every=0"
        )
    prompts = drawn(prompts, settings.watch.prompts, "prompts to watch", stage.seed)
    encoded = encode_prompts(tokenizer, [prompt.messages for prompt in prompts])
    lengths, ids = [len(row) for row in encoded], [prompt.id for prompt in prompts]
    check_fits(lengths, context_of(models.policy), decoding.max_new_tokens, ids)
    judge = load_judge(stage.input("judge"), stage.machine, settings.micro_batch_size)
    return Probe(prompts, encoded, judge, tokenizer, decoding, derived_seed(stage.seed, "answers to watch", 0))
