"""The ai_label stage: AI judges compare sampled answers by a written constitution; without a judge it does nothing."""

from pydantic import Field, field_validator

from stemma.config import Settings
from stemma.judging.ai_settings import AiJudgeConfig
from stemma.records.json_file import write_json
from stemma.records.jsonl import write_rows
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
    in the default world its gold rule. 0 leaves the check out."""
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
    if not config.judges:
        write_rows(stage.output / "verdicts.jsonl", [])
        write_json(stage.output / "report.json", {"judges": {}})


if __name__ == "__main__":
    run_stage("ai_label", AiLabelConfig, label_by_ai)
