"""Hold a tuned policy against the SFT policy on prompts that nothing was trained on: `python -m tasks.eval ppo|dpo`.

Both policies answer every prompt, sampled at temperature 1 and greedily, and one judge scores all answers. What each
number means stands in docs/metrics.md; the table for people is report.md.
"""

import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from stemma.config import Settings
from stemma.errors import DataError
from stemma.records.counting import counted
from stemma.records.jsonl import read_rows, write_rows
from stemma.records.types import Prompt
from stemma.result_conditions import missed_conditions, missed_in_words
from stemma.stage.door import Stage, run_stage
from stemma.training.prompt_draw import drawn
from stemma.training.seeds import derived_seed

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from stemma.evaluation.report import Row
    from stemma.evaluation.side_by_side import SideBySide
    from stemma.sampling.answer_sets import AnswerSet

TUNED = ("ppo", "dpo")
FEWEST_PROMPTS = 2
"""One prompt alone has no spread to make an interval of."""


class EvalConfig(Settings):
    """Settings of both evaluations; PPO and DPO share them, so that their numbers can be compared."""

    split: Literal["test", "validation"] = "test"
    """Which prompts: look at validation while choosing settings, and at test once they are chosen."""
    prompts: int = Field(0, ge=0)
    """How many of the split's prompts, drawn by the seed; 0 takes all."""
    samples: int = Field(2, ge=1, le=64)
    """Answers sampled for each prompt at temperature 1, besides the greedy one."""
    max_new_tokens: int = Field(24, ge=1)
    """Length limit of an answer; the longest answer of the default world has 23 tokens."""
    batch_size: int = Field(256, ge=1)
    """Answers drawn, or read by a model, at once; lower it where memory is short."""


def evaluate(config: EvalConfig, stage: Stage, tuned: str) -> Mapping[str, float]:
    """Compare the policy of stage `tuned` with the SFT policy; leave the report and all answers, return the numbers."""
    from stemma.evaluation.chosen_examples import choose_examples
    from stemma.evaluation.report import Report, flat_metrics, write_report
    from stemma.judging.comparison import assess, compare, side_by_side
    from stemma.judging.loading import load_judge
    from stemma.models.policy import load_policy
    from stemma.models.seeding import seed_everything
    from stemma.models.tokenizer import load_tokenizer
    from stemma.sampling.answer_sets import draw_answers

    seed_everything(stage.seed, stage.machine.threads)
    prompts = chosen_prompts(stage.input("data") / "prompts.jsonl", config, stage.seed)
    judge = load_judge(stage.input("judge"), stage.machine, config.batch_size)
    tokenizer = load_tokenizer(stage.input("sft"))
    sft, policy = (load_policy(stage.input(name), stage.machine) for name in ("sft", tuned))

    stage.progress.say(f"both policies answer {counted(len(prompts), 'prompt')} of split {config.split}")
    draw = partial(
        draw_answers,
        tokenizer=tokenizer,
        prompts=prompts,
        samples=config.samples,
        max_new_tokens=config.max_new_tokens,
        batch_size=config.batch_size,
    )
    theirs = draw(sft, seed=derived_seed(stage.seed, "SFT answers", 0))
    ours = draw(policy, seed=derived_seed(stage.seed, "tuned answers", 0))
    rows: list[Row] = []
    table: list[SideBySide] = []
    for mode in ours:
        judged = [assess(judge, prompts, answers[mode]) for answers in (theirs, ours)]
        rows += compare(judge.kind, prompts, mode, *judged)
        table += side_by_side(prompts, mode, *judged)
    rows += _drift(policy, sft, tokenizer, prompts, ours["sampled"], config.batch_size)
    report = Report(
        tuned=tuned,
        judge=judge.kind,
        split=config.split,
        prompts=len(prompts),
        samples=config.samples,
        rows=tuple(rows),
    )
    write_report(stage.output, report, choose_examples(table, tuned))
    write_rows(stage.output / "answers.jsonl", table)
    metrics = flat_metrics(report)
    if missed := missed_in_words(metrics):
        stage.progress.say(f"WARNING: the policy of {tuned} missed what it should reach. {missed}")
    return metrics | {"conditions/missed": sum(len(missed_conditions(metrics, mode)) for mode in ours)}


def evaluate_for_dvc(config: EvalConfig, stage: Stage, tuned: str) -> Mapping[str, float]:
    """Evaluate, and leave in metrics/ what `dvc exp show` and `dvc plots` show of it."""
    from stemma.evaluation.headline import write_for_dvc
    from stemma.evaluation.report import Report

    metrics = evaluate(config, stage, tuned)
    report = Report.model_validate_json((stage.output / "report.json").read_text(encoding="utf-8"))
    write_for_dvc(Path(), report, metrics)
    return metrics


def _drift(
    policy: "PreTrainedModel",
    sft: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: Sequence[Prompt],
    sampled: "AnswerSet",
    batch_size: int,
) -> "list[Row]":
    """The KL from the SFT policy, on the answers that the tuned policy sampled."""
    from stemma.evaluation.kl import kl_interval
    from stemma.evaluation.report import rows_of
    from stemma.models.chat import encode_prompts
    from stemma.training.answer_logps import answer_logps

    conversations = [prompt.messages for prompt, row in zip(prompts, sampled, strict=True) for _ in row]
    encoded = encode_prompts(tokenizer, conversations)
    tokens = [list(answer.tokens) for row in sampled for answer in row]
    logps, ref_logps = (answer_logps(model, encoded, tokens, batch_size) for model in (policy, sft))
    return rows_of("sampled", "tuned", {"objective/kl": kl_interval(logps, ref_logps, len(sampled[0]))})


def chosen_prompts(file: Path, config: EvalConfig, seed: int) -> list[Prompt]:
    """The prompts to evaluate on, in the file's order.

    Raises DataError where the split has too few.
    """
    prompts = [prompt for prompt in read_rows(file, Prompt) if prompt.split == config.split]
    if len(prompts) < FEWEST_PROMPTS:
        raise DataError(
            f"{file} has {counted(len(prompts), 'prompt')} of split {config.split}, and an evaluation needs at least "
            f"{FEWEST_PROMPTS}: give the data more prompts, or a larger share of them to that split"
        )
    return drawn(prompts, config.prompts, "prompts to evaluate on", seed) if config.prompts else prompts


if __name__ == "__main__":
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in TUNED:
        raise SystemExit(f"name the policy to evaluate, one of {TUNED}: python -m tasks.eval ppo")
    run_stage(f"eval_{name}", EvalConfig, partial(evaluate_for_dvc, tuned=name), section="eval")
