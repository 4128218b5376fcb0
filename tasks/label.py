"""The label stage: which of two answers to a prompt is better, as annotators, AI judges or your data say."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from stemma.config import Settings
from stemma.errors import DataError
from stemma.labelling.aggregation import Aggregation, aggregate, comparisons_of
from stemma.labelling.annotators import AnnotatorConfig
from stemma.labelling.earlier import EARLIER, count_rounds, merge_earlier
from stemma.labelling.given import LABELS, read_batch, read_judges, read_people, require_fresh, with_finished
from stemma.labelling.pairs import pair_responses, pairs_per_prompt
from stemma.labelling.quality.report import quality_report
from stemma.labelling.quality.votes import VotedPair, gather
from stemma.labelling.simulation import judge_pairs
from stemma.labelling.tally import count_outcomes, count_splits, tally_errors, wrong_share
from stemma.records.json_file import read_json, write_json
from stemma.records.jsonl import read_rows, write_rows
from stemma.records.types import Comparison, Prompt, Response, Verdict
from stemma.stage.door import Stage, run_stage
from stemma.stage.manifest import verify_manifest


class LabelConfig(Settings):
    """Where labels come from, and how several verdicts on a pair become one label."""

    source: Literal["simulated", "recorded", "human", "ai", "mixed"] = "simulated"
    """`simulated` annotators judge sampled answers (default world only); `recorded` takes your data's comparisons;
    `human` takes people's verdicts in inputs/labels, `ai` the judges' of ai_label, `mixed` both."""
    annotators: tuple[AnnotatorConfig, ...] = Field(
        (
            AnnotatorConfig(name="simulated-1", noise=0.06),
            AnnotatorConfig(name="simulated-2", noise=0.12, length_bias=0.06),
            AnnotatorConfig(name="simulated-3", noise=0.12, position_bias=0.06),
        ),
        min_length=1,
    )
    """The simulated annotators; together they err on about one pair in ten. Their names are nobody's."""
    verdicts_per_pair: int = Field(1, ge=1)
    """How many simulated annotators judge each pair; their verdicts together make its label."""
    overlap_share: float = Field(0.1, ge=0, le=1)
    """Share of pairs that one more simulated annotator judges, so that agreement can be told; the label stays."""
    aggregation: Aggregation = "majority"
    """How several verdicts on a pair become one label: their majority, or each by how often its annotator is right, as
    the verdicts themselves tell (Dawid and Skene 1979)."""
    soft: bool = False
    """Keep the chance that the chosen answer is the better one, to train on instead of a plain label."""
    ai_weight: float = Field(1.0, gt=0)
    """Where `source` is `mixed`: the weight of an AI judge's verdict, in the label and in training, against a
    person's."""
    earlier: Literal["none", "round"] = "none"
    """Whether labels of earlier rounds are used too: `round`, which `retrain` sets, takes those of the round before."""
    earlier_decay: float = Field(0.5, ge=0, le=1)
    """What an earlier round's labels weigh, against those of the round after it: 1 keeps all alike (Bai et al. 2022,
    section 4.5), 0 drops them."""

    @field_validator("annotators")
    @classmethod
    def _have_different_names(cls, annotators: tuple[AnnotatorConfig, ...]) -> tuple[AnnotatorConfig, ...]:
        if len({annotator.name for annotator in annotators}) < len(annotators):
            raise ValueError("two annotators have the same name; rename one")
        return annotators

    @model_validator(mode="after")
    def _has_annotators_enough(self) -> "LabelConfig":
        if self.verdicts_per_pair > len(self.annotators):
            raise ValueError(
                f"verdicts_per_pair ({self.verdicts_per_pair}) must not exceed the number of annotators "
                f"({len(self.annotators)}): lower it or name more"
            )
        return self


def label_answers(config: LabelConfig, stage: Stage) -> None:
    """Write comparisons, the verdicts that they come from, and a report that counts both."""
    if config.source == "recorded":
        _take_recorded(config, stage)
    elif config.source == "simulated":
        _simulate(config, stage)
    else:
        _take_given(config, stage)


def _take_recorded(config: LabelConfig, stage: Stage) -> None:
    comparisons = read_rows(stage.input("data") / "comparisons.jsonl", Comparison)
    if not comparisons:
        raise DataError(
            "label.source is `recorded`, but the data holds no comparisons; "
            "add a file of comparisons (chosen and rejected answers) to data.files"
        )
    report = {"source": "recorded", "pairs": count_splits(comparisons)}
    _write(stage, _with_earlier(comparisons, _prompts(stage), config), [], report)


def _simulate(config: LabelConfig, stage: Stage) -> None:
    if not read_json(stage.input("data") / "report.json")["gold"]:
        raise DataError(
            "label.source is `simulated`, but only the default world says what an answer is worth; "
            "set label.source to recorded, with comparisons in data.files"
        )
    prompts = _prompts(stage)
    responses = read_rows(stage.input("sample") / "responses.jsonl", Response)
    pairing = pair_responses(prompts, responses, stage.seed, pairs_per_prompt(stage.input("sample")))
    judged = judge_pairs(pairing.pairs, config.annotators, config.verdicts_per_pair, config.overlap_share, stage.seed)
    measured = [pair.measured() for pair in judged]
    comparisons, report = _label([pair.voted() for pair in judged], measured, prompts, config, stage.seed)
    if not comparisons:
        raise DataError(
            f"none of {len(pairing.pairs)} pairs of answers differ in worth, so there is nothing to learn from; "
            "sample more answers a prompt, or at a higher temperature"
        )
    report |= {"same_text": pairing.same_text, "empty": pairing.empty, "errors": tally_errors(judged, comparisons)}
    comparisons = _with_earlier(comparisons, prompts, config)
    _write(stage, comparisons, [verdict for pair in judged for verdict in pair.verdicts], report)


def _take_given(config: LabelConfig, stage: Stage) -> None:
    prompts = _prompts(stage)
    responses = read_rows(stage.input("sample") / "responses.jsonl", Response)
    people = read_people() if config.source in ("human", "mixed") else []
    require_fresh(people, prompts, responses, f"the batch in {LABELS}")
    people = with_finished(people, responses)
    judges = read_judges(stage.input("ai_label")) if config.source in ("ai", "mixed") else []
    require_fresh(judges, prompts, responses, "artifacts/ai_label")
    judges = with_finished(judges, responses)
    pairs = gather([*people, *judges], {"judge": config.ai_weight} if config.source == "mixed" else None)
    comparisons, report = _label(pairs, pairs, prompts, config, stage.seed)
    if not comparisons:
        raise DataError(
            f"none of {len(pairs)} judged pairs gives a comparison ({report['outcomes']}), so there is nothing to "
            "learn from; label more pairs"
        )
    if people:
        report["batch"] = read_batch()
    _write(stage, _with_earlier(comparisons, prompts, config), [*people, *judges], report)


def _label(
    pairs: Sequence[VotedPair],
    measured: Sequence[VotedPair],
    prompts: Mapping[str, Prompt],
    config: LabelConfig,
    seed: int,
) -> tuple[list[Comparison], dict[str, Any]]:
    """The comparisons, and what is told of them and of all verdicts measured."""
    labels = aggregate(pairs, config.aggregation)
    comparisons = comparisons_of(labels, prompts, config.soft)
    return comparisons, {
        "source": config.source,
        "pairs": count_splits(comparisons),
        "outcomes": count_outcomes(labels, prompts),
        "label_smoothing": wrong_share(labels, measured),
        **quality_report(measured, seed),
    }


def _with_earlier(fresh: Sequence[Comparison], prompts: Mapping[str, Prompt], config: LabelConfig) -> list[Comparison]:
    """The comparisons with those of earlier rounds, where the run is a round."""
    if config.earlier == "none" or config.earlier_decay == 0:
        return list(fresh)
    verify_manifest(EARLIER)
    earlier = read_rows(EARLIER / "comparisons.jsonl", Comparison)
    return merge_earlier(fresh, earlier, prompts.values(), config.earlier_decay)


def _prompts(stage: Stage) -> dict[str, Prompt]:
    return {prompt.id: prompt for prompt in read_rows(stage.input("data") / "prompts.jsonl", Prompt)}


def _write(
    stage: Stage, comparisons: Sequence[Comparison], verdicts: Sequence[Verdict], report: Mapping[str, Any]
) -> None:
    write_rows(stage.output / "comparisons.jsonl", comparisons)
    write_rows(stage.output / "verdicts.jsonl", verdicts)
    write_json(stage.output / "report.json", {**report, "rounds": count_rounds(comparisons)})


if __name__ == "__main__":
    run_stage("label", LabelConfig, label_answers)
