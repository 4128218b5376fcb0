"""The ai_label stage: AI judges compare sampled answers by a written constitution; without a judge it does nothing."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field, field_validator

from stemma.config import Settings
from stemma.errors import DataError
from stemma.judging.ai_settings import AiJudgeConfig
from stemma.judging.answer_cache import CACHE, open_cache
from stemma.judging.case import AiJudge, Case, verdict_of
from stemma.judging.constitution import FOLDER, read_constitution
from stemma.judging.known_cases import KnownCase, from_comparisons, from_world
from stemma.judging.seating import seat
from stemma.judging.text_judge import Bench
from stemma.labelling.pairs import pair_responses, pairs_per_prompt
from stemma.records.counting import counted
from stemma.records.json_file import read_json, write_json
from stemma.records.jsonl import read_rows, write_rows
from stemma.records.types import Comparison, Prompt, Response, Verdict
from stemma.stage.door import Stage, run_stage


class AiLabelConfig(Settings):
    """Who compares answers besides people; the flow `rlaif` needs at least one judge."""

    judges: tuple[AiJudgeConfig, ...] = ()
    """The judges, each of which compares every pair; none by default, and then nothing is asked."""
    constitution: str = Field("helpful-honest-harmless", pattern=r"^[A-Za-z0-9_-]+$")
    """The principles they judge by: the name of a file in inputs/constitutions/."""
    most_broken_share: float = Field(0.05, ge=0, le=1)
    """The stage stops where more of a judge's answers than this cannot be read, however often it is asked."""
    check_pairs: int = Field(200, ge=0)
    """On how many pairs a judge is compared with people first: comparisons of the split validation in your data, or
    in the default world sampled answers by its gold rule. 0 leaves the check out."""
    least_agreement: float = Field(0.6, ge=0, le=1)
    """The stage stops where a judge agrees with people on a smaller share of those pairs; a tie counts a half."""

    @field_validator("judges")
    @classmethod
    def _have_different_names(cls, judges: tuple[AiJudgeConfig, ...]) -> tuple[AiJudgeConfig, ...]:
        if len({judge.name for judge in judges}) < len(judges):
            raise ValueError("two judges have the same name; rename one")
        return judges


def label_by_ai(config: AiLabelConfig, stage: Stage) -> None:
    """Write the judges' verdicts and a report that counts them."""
    verdicts: list[Verdict] = []
    report: dict[str, Any] = {"judges": {}}
    if config.judges:
        verdicts, report = _ask_judges(config, stage)
    write_rows(stage.output / "verdicts.jsonl", verdicts)
    write_json(stage.output / "report.json", report)


def _ask_judges(config: AiLabelConfig, stage: Stage) -> tuple[list[Verdict], dict[str, Any]]:
    constitution, sha256 = read_constitution(FOLDER, config.constitution)
    prompts = {prompt.id: prompt for prompt in read_rows(stage.input("data") / "prompts.jsonl", Prompt)}
    responses = read_rows(stage.input("sample") / "responses.jsonl", Response)
    pairing = pair_responses(prompts, responses, stage.seed, pairs_per_prompt(stage.input("sample")))
    cases = [Case(pair.prompt, pair.first, pair.second) for pair in pairing.pairs]
    known = _known_cases(config, stage, cases)
    verdicts, told = [], {}
    with open_cache(stage.scratch.parent.parent / CACHE) as cache:
        bench = Bench(constitution, sha256, cache, stage.seed, config.most_broken_share, stage.progress)
        for judge in [seat(judge, stage.machine, bench) for judge in config.judges]:
            checked = _check(config, stage, judge, known)
            given, told[judge.name] = _judge(judge, cases)
            told[judge.name]["check"] = checked
            verdicts += given
    return verdicts, {
        "constitution": bench.told(),
        "pairs": len(cases),
        "same_text": pairing.same_text,
        "empty": pairing.empty,
        "judges": told,
    }


def _judge(judge: AiJudge, cases: Sequence[Case]) -> tuple[list[Verdict], dict[str, Any]]:
    """A judge's verdicts, and what they amount to; a case without an opinion has no verdict."""
    opinions = judge.opinions(cases)
    verdicts = [verdict_of(judge.name, case, opinion) for case, opinion in zip(cases, opinions, strict=True) if opinion]
    return verdicts, {
        "verdicts": len(verdicts),
        "ties": sum(verdict.choice == "tie" for verdict in verdicts),
        "broken": judge.broken,
        "tokens": sum(opinion.tokens for opinion in opinions if opinion),
    }


def _known_cases(config: AiLabelConfig, stage: Stage, cases: Sequence[Case]) -> list[KnownCase]:
    data = stage.input("data")
    if read_json(data / "report.json")["gold"]:
        return from_world(cases, config.check_pairs, stage.seed)
    return from_comparisons(read_rows(data / "comparisons.jsonl", Comparison), config.check_pairs, stage.seed)


def _check(config: AiLabelConfig, stage: Stage, judge: AiJudge, known: Sequence[KnownCase]) -> dict[str, Any] | None:
    """Compare a judge with people before it is asked about all the rest.

    Raises DataError where it agrees with them too seldom.
    """
    from stemma.judging.check import as_values, check, trial_of

    if not known:
        stage.progress.say(f"judge {judge.name} is not checked: there are no held-out comparisons of people")
        return None
    opinions = judge.opinions([row.case for row in known])
    checked = check(
        [trial_of(row.case, opinion, row.people) for row, opinion in zip(known, opinions, strict=True) if opinion]
    )
    agreement = checked.agreement
    if agreement is None:
        raise DataError(
            f"judge {judge.name} gave no answer that can be read on {counted(len(known), 'pair')}: {judge.broken}"
        )
    words = (
        f"judge {judge.name} agrees with people on {agreement.estimate:.3f} of {counted(checked.pairs, 'pair')} "
        f"(95 % {agreement.low:.3f} to {agreement.high:.3f})"
    )
    if agreement.estimate < config.least_agreement:
        raise DataError(
            f"{words}, and ai_label.least_agreement is {config.least_agreement:g}. Take a better judge, write the "
            "constitution's prompt for it, or lower least_agreement and trust its labels less; "
            "`stemma judge check` shows where it differs"
        )
    stage.progress.say(words)
    return as_values(checked)


if __name__ == "__main__":
    run_stage("ai_label", AiLabelConfig, label_by_ai)
