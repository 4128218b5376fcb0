"""The gates: what is measured, what is asked, and whether it holds."""

from dataclasses import dataclass

from stemma.promotion.evidence import Evidence, win_rate_against
from stemma.promotion.settings import PromotionConfig


@dataclass(frozen=True)
class Gate:
    """One condition of a promotion."""

    name: str
    passed: bool
    words: str
    """What was found against what was asked."""


def check_gates(
    config: PromotionConfig, challenger: Evidence, champion: Evidence | None, whom: str = "SFT"
) -> list[Gate]:
    """Hold a policy's evaluation against the champion's, or without one against its own baseline, which is `whom`.

    A metric that the data has no measure for (no gold rule) is no gate.
    Raises ArtifactError where the two evaluations cannot be compared.
    """
    metrics = challenger.metrics
    if champion is None:
        before = {name: metrics[f"sft/{name}"] for name in metrics if f"sft/{name}" in metrics}
    else:
        before = dict(champion.metrics)
    win = win_rate_against(challenger, champion)
    gates = [
        Gate(
            "win rate",
            win.low > config.least_win_rate,
            f"{win.estimate:.3f} [{win.low:.3f}, {win.high:.3f}] against {whom}, "
            f"asked: all above {config.least_win_rate:g}",
        )
    ]
    for name, sign, tolerance in (
        ("gold/accuracy", 1, config.accuracy_tolerance),
        ("gold/hallucination", -1, config.hallucination_tolerance),
        ("gold/refusal", 1, config.refusal_tolerance),
    ):
        if before.get(name) is not None:
            gates.append(_no_worse(name, metrics.get(name), before[name], sign, tolerance))
    return gates + _budgets(config, metrics)


def _no_worse(name: str, now: float | None, before: float, sign: int, tolerance: float) -> Gate:
    words = f"{before:.3f} → {_shown(now)}, asked: no worse by more than {tolerance:g}"
    return Gate(name.removeprefix("gold/"), now is not None and sign * (before - now) <= tolerance, words)


def _shown(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3f}"


def _budgets(config: PromotionConfig, metrics: dict[str, float]) -> list[Gate]:
    kl, unmeasured = metrics.get("objective/kl"), float("nan")
    length, sft_length = metrics.get("response/length", unmeasured), metrics.get("sft/response/length", unmeasured)
    shown = "not measured" if kl is None else f"{kl:.2f} nats an answer"
    gates = [
        Gate("KL", kl is not None and kl <= config.most_kl, f"{shown}, asked: at most {config.most_kl:g}"),
        Gate(
            "length",
            length <= config.most_length_growth * sft_length,
            f"{sft_length:.1f} → {length:.1f} tokens, asked: at most {config.most_length_growth:g} times SFT's",
        ),
    ]
    if config.beat_length:
        accuracy, by_length = metrics.get("test/accuracy", 0.0), metrics.get("test/length_accuracy", 1.0)
        words = f"{accuracy:.3f} of held-out pairs right, by length alone {by_length:.3f}"
        gates.append(Gate("pairs", accuracy > by_length, f"{words}, asked: more than by length"))
    return gates
