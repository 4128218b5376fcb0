"""The judge of the final evaluation: the default world's gold rule, or a reward model of its own on your data."""

from dataclasses import replace
from typing import Literal

from pydantic import Field

from stemma.errors import DataError
from stemma.judging.kinds import write_kind
from stemma.records.counting import counted
from stemma.records.json_file import read_json, write_json
from stemma.records.jsonl import read_rows
from stemma.records.types import Comparison
from stemma.stage.door import Stage, run_stage
from stemma.stage.rank import first_goes_on_alone
from stemma.training.reward_settings import RewardSettings
from stemma.training.seeds import derived_seed


class JudgeConfig(RewardSettings):
    """How a judge is trained where the data has no gold rule; the default world needs none of this."""

    start_from: Literal["base", "sft"] = "sft"
    """Whose weights the judge starts from; base shares less with the policies that it judges, sft learns faster."""
    fewest_pairs: int = Field(50, ge=1)
    """The stage fails where fewer comparisons than this are left for the judge."""
    must_beat_chance: bool = True
    """Stop the run where held-out pairs do not show that the judge is better than a coin."""


def make_judge(config: JudgeConfig, stage: Stage) -> None:
    """Leave judge.json, and beside it a reward model where the data has no gold rule."""
    if read_json(stage.input("data") / "report.json")["gold"]:
        first_goes_on_alone()
        write_kind(stage.output, "gold")
        return
    _train(config, stage)
    write_kind(stage.output, "reward_model")


def _train(config: JudgeConfig, stage: Stage) -> None:
    """Train on the `judge` pairs, which the policies and their reward model never see; measure on held-out pairs."""
    from stemma.training.held_out import held_out_of, require_better_than_chance, split_of
    from stemma.training.reward import train_reward_model
    from stemma.training.slice_gate import metrics_past_the_gate

    path = stage.input("label") / "comparisons.jsonl"
    comparisons = read_rows(path, Comparison)
    pairs, held_out = split_of(comparisons, "judge"), held_out_of(comparisons)
    if len(pairs) < config.fewest_pairs:
        raise DataError(
            f"{path} has {counted(len(pairs), 'comparison')} of split judge, and the judge needs "
            f"{config.fewest_pairs}: add comparisons, raise data.judge_share, or lower judge.fewest_pairs and trust "
            "the judge less"
        )
    stage.progress.say(
        f"{counted(len(pairs), 'pair')} to learn judging from, {sum(map(len, held_out.values()))} held out"
    )
    own_seed = replace(
        stage, seed=derived_seed(stage.seed, "judge", 0) % 2**31
    )  # not the reward model's order of pairs
    measured = train_reward_model(pairs, held_out, stage.input(config.start_from), stage.output, config, own_seed)
    if config.must_beat_chance:
        require_better_than_chance(
            measured,
            "the judge",
            "Look at the labels and at the training accuracy in the history; train longer, or give it more pairs by "
            "data.judge_share. judge.must_beat_chance=false goes on all the same.",
        )
    metrics = metrics_past_the_gate(
        measured,
        {},
        config,
        stage,
        remedy="Label more pairs of that slice, raise data.judge_share, or raise judge.epochs.",
        consequence="Win rates by this judge would favour the worse answers there.",
    )
    write_json(stage.output / "report.json", {"pairs": len(pairs), "start_from": config.start_from, **metrics})


if __name__ == "__main__":
    run_stage("judge", JudgeConfig, make_judge)
