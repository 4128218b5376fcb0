"""The label stage: which of two answers to a prompt is better, by simulated annotators or as your data says."""

from typing import Literal

from pydantic import Field, field_validator

from stemma.config import Settings
from stemma.errors import DataError
from stemma.labelling.annotators import AnnotatorConfig
from stemma.labelling.pairs import pair_responses
from stemma.labelling.simulation import judge_pairs
from stemma.labelling.tally import comparisons_of, count_splits, tally, verdicts_of
from stemma.records.json_file import read_json, write_json
from stemma.records.jsonl import read_rows, write_rows
from stemma.records.types import Comparison, Prompt, Response
from stemma.stage.door import Stage, run_stage


class LabelConfig(Settings):
    """Where labels come from."""

    source: Literal["simulated", "recorded"] = "simulated"
    """`simulated` annotators judge sampled answers (default world only); `recorded` takes your data's comparisons."""
    annotators: tuple[AnnotatorConfig, ...] = Field(
        (
            AnnotatorConfig(name="ada", noise=0.06),
            AnnotatorConfig(name="ben", noise=0.12, length_bias=0.06),
            AnnotatorConfig(name="cleo", noise=0.12, position_bias=0.06),
        ),
        min_length=1,
    )
    """The simulated annotators; together they err on about one pair in ten."""
    overlap_share: float = Field(0.1, ge=0, le=1)
    """Share of pairs that a second annotator judges too, so that their agreement can be told."""

    @field_validator("annotators")
    @classmethod
    def _have_different_names(cls, annotators: tuple[AnnotatorConfig, ...]) -> tuple[AnnotatorConfig, ...]:
        if len({annotator.name for annotator in annotators}) < len(annotators):
            raise ValueError("two annotators have the same name; rename one")
        return annotators


def label_answers(config: LabelConfig, stage: Stage) -> None:
    """Write comparisons, the verdicts that they come from, and a report that counts both."""
    if config.source == "recorded":
        _take_recorded(stage)
    else:
        _simulate(config, stage)


def _take_recorded(stage: Stage) -> None:
    comparisons = read_rows(stage.input("data") / "comparisons.jsonl", Comparison)
    if not comparisons:
        raise DataError(
            "label.source is `recorded`, but the data holds no comparisons; "
            "add a file of comparisons (chosen and rejected answers) to data.files"
        )
    write_rows(stage.output / "comparisons.jsonl", comparisons)
    write_rows(stage.output / "verdicts.jsonl", [])
    write_json(stage.output / "report.json", {"source": "recorded", "pairs": count_splits(comparisons)})


def _simulate(config: LabelConfig, stage: Stage) -> None:
    if not read_json(stage.input("data") / "report.json")["gold"]:
        raise DataError(
            "label.source is `simulated`, but only the default world says what an answer is worth; "
            "set label.source to recorded, with comparisons in data.files"
        )
    prompts = {prompt.id: prompt for prompt in read_rows(stage.input("data") / "prompts.jsonl", Prompt)}
    responses = read_rows(stage.input("sample") / "responses.jsonl", Response)
    pairing = pair_responses(prompts, responses, stage.seed)
    judged = judge_pairs(pairing.pairs, config.annotators, config.overlap_share, stage.seed)
    comparisons = comparisons_of(judged)
    if not comparisons:
        raise DataError(
            f"none of {len(pairing.pairs)} pairs of answers differ in worth, so there is nothing to learn from; "
            "sample more answers a prompt, or at a higher temperature"
        )
    write_rows(stage.output / "comparisons.jsonl", comparisons)
    write_rows(stage.output / "verdicts.jsonl", verdicts_of(judged))
    report = {"source": "simulated", "pairs": count_splits(comparisons), **tally(judged)}
    write_json(stage.output / "report.json", {**report, "same_text": pairing.same_text, "empty": pairing.empty})


if __name__ == "__main__":
    run_stage("label", LabelConfig, label_answers)
