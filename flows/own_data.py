"""Whether the data can give what the run's later stages need: asked before anything trains."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from math import comb
from pathlib import Path
from typing import Any

from flows.settings import FlowSettings
from stemma.errors import DataError
from stemma.lineage.user_files import check_files, input_names
from stemma.records.counting import counted
from tasks.data import OwnData, fit_own_data, read_own_data
from tasks.eval import FEWEST_PROMPTS


def check_own_data(settings: FlowSettings, files: Sequence[Path]) -> None:
    """Read the data of a run that is not begun, as its data stage will, and check that the other stages can use it.

    `files` are to be taken in; a run that began before took them in, and its data stage checked them.

    Raises StemmaError where the run would be refused.
    """
    if files:
        check_files(files)
        own = read_own_data(dict(zip(input_names(files), files, strict=True)), settings.data)
        own = fit_own_data(own, settings.data, settings.base)
        own.check(settings.data)
        check_data_suits(settings, report_of(own))
    elif not settings.data.files:
        check_data_suits(settings, _world(settings))


def report_of(own: OwnData) -> dict[str, Any]:
    """What report.json of artifacts/data would hold."""
    return {**own.report(), **own.dataset.counts()}


def check_data_suits(settings: FlowSettings, report: Mapping[str, Any]) -> None:
    """Check that the data, counted in report.json of artifacts/data, is enough for the stages after it.

    Raises DataError naming everything that is missing, with the setting that helps.
    """
    faults = [*_demonstrations(settings, report), *_labels(settings, report), *_evaluation(settings, report)]
    if faults:
        lines = ["this data cannot be used with these settings:", *(f"  {fault}" for fault in faults)]
        raise DataError("\n".join([*lines, "`stemma data check FILE…` lists, without a run, what a run would take."]))


def _demonstrations(settings: FlowSettings, report: Mapping[str, Any]) -> Iterator[str]:
    if settings.sft.source == "demonstrations" and not report["demonstrations"]:
        yield "SFT needs answers to imitate, and the train split has none: add rows with answers to data.files"


def _labels(settings: FlowSettings, report: Mapping[str, Any]) -> Iterator[str]:
    source, pairs = settings.label.source, report["comparisons"]
    if source == "simulated" and not report["gold"]:
        yield (
            "label.source is simulated, and only the default world says what an answer is worth: set it to recorded "
            "for pairs in data.files, or to human or ai, which compare sampled answers"
        )
    elif source == "recorded" and not pairs.get("train"):
        yield (
            f"label.source is recorded, and the data holds {counted(report['demonstrations'], 'answer')} to imitate "
            "but no pair of a chosen and a rejected answer in the train split, so there is nothing for a reward model "
            "or DPO: add pairs to data.files, or set label.source to human or ai, which compare sampled answers"
        )
    elif not report["gold"]:
        yield from _judge(settings, report)


def _judge(settings: FlowSettings, report: Mapping[str, Any]) -> Iterator[str]:
    """A judge of one's own data is a reward model, trained on pairs that nothing else is trained on."""
    recorded = settings.label.source == "recorded"
    pairs = report["comparisons"].get("judge", 0) if recorded else _sampled_for_judge(settings, report)
    if pairs < settings.judge.fewest_pairs:
        more = "add pairs" if recorded else "add prompts, raise sample.held_out_prompts"
        yield (
            f"the judge of the final evaluation needs judge.fewest_pairs {settings.judge.fewest_pairs} pairs of the "
            f"judge split, which gives {pairs}: {more}, raise data.judge_share, or lower judge.fewest_pairs and trust "
            "the judge less"
        )


def _sampled_for_judge(settings: FlowSettings, report: Mapping[str, Any]) -> int:
    prompts: int = report["prompts"].get("judge", 0)
    most = settings.sample.held_out_prompts
    return (prompts if most is None else min(prompts, most)) * min(
        comb(settings.sample.responses, 2), settings.sample.pairs or sys.maxsize
    )


def _evaluation(settings: FlowSettings, report: Mapping[str, Any]) -> Iterator[str]:
    split = settings.eval.split
    prompts = report["prompts"].get(split, 0)
    if prompts < FEWEST_PROMPTS:
        yield (
            f"the evaluation needs {FEWEST_PROMPTS} prompts of the {split} split, which holds {prompts}: add prompts, "
            f"or raise data.{split}_share"
        )


def _world(settings: FlowSettings) -> dict[str, Any]:
    world = settings.data.world
    prompts = {"train": world.train_prompts, "validation": world.validation_prompts, "test": world.test_prompts}
    return {"gold": True, "demonstrations": world.demonstrations, "comparisons": {}, "prompts": prompts}
