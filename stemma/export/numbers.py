"""What was measured of a model: the numbers of its own stage and of its evaluation, with their intervals."""

from collections.abc import Mapping
from dataclasses import dataclass

from stemma.lineage.index import Derivation
from stemma.lineage.names import Model
from stemma.lineage.runs import EVALUATION
from stemma.metric_names import METRICS

BEFORE = "sft/"
GREEDY = "greedy/"
LOW, HIGH = "_low", "_high"


@dataclass(frozen=True)
class Number:
    """One number about the model."""

    stage: str
    """The stage that measured it."""
    split: str
    """On which prompts an evaluation was: test, or validation; empty where the number's name tells."""
    name: str
    value: float
    low: float | None
    high: float | None
    """Ends of the 95 % interval, where the run's metrics have them."""
    before: float | None
    """The same number of the SFT policy, where there is one."""
    meaning: str


def numbers_of(model: Model, stages: Mapping[str, Derivation]) -> tuple[Number, ...]:
    """The numbers that the model's run has of exactly these bytes; `stages` is what the run's lock holds."""
    own = model.derivation.stage
    measured = [stage for stage in model.run.metrics if stage == own or _evaluates(stages.get(stage), model)]
    return tuple(
        number for stage in measured for number in _numbers(stage, _split(stages.get(stage)), model.run.metrics[stage])
    )


def _evaluates(stage: Derivation | None, model: Model) -> bool:
    deps = stage.entry.get("deps", []) if stage and stage.stage.startswith(EVALUATION) else []
    return any(dep["md5"] == model.derivation.artifact for dep in deps)


def _split(stage: Derivation | None) -> str:
    settings = stage.entry.get("params", {}).get("params.yaml", {}) if stage else {}
    return str(settings.get("eval", {}).get("split", ""))


def _numbers(stage: str, split: str, metrics: Mapping[str, float]) -> list[Number]:
    return [
        Number(
            stage=stage,
            split=split,
            name=name,
            value=value,
            low=metrics.get(f"{name}{LOW}"),
            high=metrics.get(f"{name}{HIGH}"),
            before=metrics.get(f"{BEFORE}{name}"),
            meaning=_meaning(name),
        )
        for name, value in sorted(metrics.items())
        if not name.startswith(BEFORE) and not name.endswith((LOW, HIGH))
    ]


def _meaning(name: str) -> str:
    if name.startswith(GREEDY):
        return f"As {name.removeprefix(GREEDY)}, with the likeliest token at every step."
    return METRICS[name].meaning if name in METRICS else ""
