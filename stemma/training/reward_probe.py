"""Constructed pairs whose better answer the gold rule knows, scored by a trained reward model."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path

from stemma.config import MachineConfig
from stemma.evaluation.intervals import Interval
from stemma.evaluation.pairs import agreements
from stemma.evaluation.slices import accuracies
from stemma.models.chat import encode_answers, encode_prompts
from stemma.models.scalar import load_scalar_model
from stemma.models.scoring import score_rows
from stemma.models.tokenizer import load_tokenizer
from stemma.records.counting import counted
from stemma.records.json_file import read_json
from stemma.records.jsonl import read_rows
from stemma.records.types import Prompt
from stemma.stage.door import Stage
from stemma.training.held_out import HELD_OUT
from stemma.world.probes import ProbePair, probe_pair

PROMPTS = "prompts.jsonl"


def probe_reward_model(reward: Path, data: Path, machine: MachineConfig, batch_size: int) -> dict[str, Interval]:
    """By kind of prompt, on the held-out prompts: how often the better answer beats every worse one.

    `data` is the data artifact; where it has no gold rule nothing is known to be better, and the result is empty.
    """
    if not read_json(data / "report.json")["gold"]:
        return {}
    prompts = [prompt for prompt in read_rows(data / PROMPTS, Prompt) if prompt.split in HELD_OUT]
    pairs = [probe_pair(prompt) for prompt in prompts]
    return accuracies([prompt.kind for prompt in prompts], wins(pairs, _scores(reward, pairs, machine, batch_size)))


def tell_probes(probes: Mapping[str, Interval], stage: Stage) -> None:
    """Say how often the better of the constructed answers wins."""
    for kind, share in probes.items():
        stage.progress.say(
            f"probe {kind}: the best answer scores above every worse one on {share.estimate:.1%} of "
            f"{counted(share.n, 'prompt')} ({share.low:.1%} to {share.high:.1%})"
        )


def wins(pairs: Sequence[ProbePair], scores: Sequence[float]) -> list[float]:
    """For each pair: 1 if the better answer's score is above every worse one's, 0.5 if it equals the best of them.

    `scores` are of all answers, pair by pair, the better answer first.
    """
    ends = list(accumulate(1 + len(pair.worse) for pair in pairs))
    by_pair = [scores[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    return agreements([row[0] for row in by_pair], [max(row[1:]) for row in by_pair])


def _scores(reward: Path, pairs: Sequence[ProbePair], machine: MachineConfig, batch_size: int) -> list[float]:
    model, tokenizer = load_scalar_model(reward, machine), load_tokenizer(reward)
    answers = [(pair.prompt, text) for pair in pairs for text in (pair.better, *pair.worse)]
    before = encode_prompts(tokenizer, [prompt.messages for prompt, _ in answers])
    after = encode_answers(tokenizer, [text for _, text in answers], [True] * len(answers))
    return score_rows(model, [p + a for p, a in zip(before, after, strict=True)], batch_size)
