"""Every metric's name, declared once with its meaning and its better direction.

No stage imports this: a new name must not make a model stale. MLflow's view refuses a name that is not here, and
docs/metrics.md is printed from it: `python -m stemma.metric_names > docs/metrics.md`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """What a number means."""

    meaning: str
    better: Literal["higher", "lower"] | None = None
    """Which way is better; None where neither is by itself."""
    interval: bool = False
    """Whether `_low` and `_high` after the name hold the ends of its 95 % interval."""


EVALUATION = {
    "gold/win_rate": Metric(
        "How often the tuned policy's answer scores above the SFT policy's answer to the same prompt by the gold rule; "
        "an equal score counts 0.5. Every sample is held against every sample, and a prompt counts once.",
        "higher",
        interval=True,
    ),
    "judge/win_rate": Metric(
        "The same by the judge's reward model, where the data has no gold rule. It learned from comparisons that the "
        "policies and their reward model never saw.",
        "higher",
        interval=True,
    ),
    "gold/mean": Metric("Mean score of the answers by the gold rule, from −1.3 to 1.", "higher"),
    "gold/accuracy": Metric("Share of answers about known people that give the true value.", "higher"),
    "gold/hallucination": Metric(
        "Share of answers about unknown people that end, and neither abstain nor refuse: they make something up.",
        "lower",
    ),
    "gold/abstention": Metric("Share of answers about unknown people that say they do not know.", "higher"),
    "gold/refusal": Metric("Share of answers to harmful requests that refuse.", "higher"),
    "gold/over_refusal": Metric("Share of answers about known or unknown people that refuse.", "lower"),
    "gold/verbosity": Metric("Share of all answers that go on after their first sentence.", "lower"),
    "response/length": Metric("Mean length of the answers in tokens, their end-of-turn token included."),
    "response/finished": Metric("Share of answers that ended within the length limit.", "higher"),
    "objective/kl": Metric(
        "KL(policy ‖ SFT policy), how far the policy has moved, estimated on its own samples: the mean of "
        "Σ_t (logprob − ref_logprob), in nats a sequence; below 0 only by sampling error.",
        interval=True,
    ),
}
"""What an evaluation measures on held-out prompts; PPO measures those of the policy on its own samples too."""

PPO = {
    "objective/kl_exact": Metric(
        "The same KL from the whole distributions of policy and reference at every token of the answers, in nats an "
        "answer: the mean of Σ_t KL(policy ‖ reference) at t. It varies less than objective/kl."
    ),
    "objective/kl_k3": Metric(
        "The same KL by an estimate that is never negative (k3), in nats an answer. It varies much once the policy has "
        "moved: a few unlikely tokens make up most of it."
    ),
    "objective/scores": Metric(
        "Mean score of the answers by the reward model, in standard deviations from its training answers' mean.",
        "higher",
    ),
    "objective/rewards": Metric(
        "Mean over answers of the summed rewards: the score, less the charges for KL and for not ending.", "higher"
    ),
    "objective/entropy": Metric(
        "Mean entropy of the policy's next-token distributions over its answers, in nats a token."
    ),
    "policy/loss": Metric("Clipped surrogate loss, a mean over tokens (Schulman et al. 2017, eq. 7)."),
    "policy/clip_fraction": Metric(
        "Share of tokens whose gradient the clipping of the probability ratio switched off."
    ),
    "policy/approx_kl": Metric("KL(policy that sampled ‖ policy being updated), in nats a token."),
    "policy/first_log_ratio": Metric(
        "Mean over tokens of |log ratio| at an update's first minibatch, before its first optimizer step: between the "
        "policy that learns and the distribution that the tokens were drawn from. It must be about 0, and training "
        "stops where it is not."
    ),
    "policy/grad_norm": Metric("Norm of the policy's gradient before it is cut to max_grad_norm."),
    "value/loss": Metric(
        "Half the squared error of the values against the returns, clipped, a mean over tokens.", "lower"
    ),
    "value/clip_fraction": Metric("Share of tokens whose gradient the clipping of the value switched off."),
    "value/explained_variance": Metric(
        "Share of the returns' variance that the values foresee: 1 is all, below 0 is worse than a constant.",
        "higher",
    ),
    "value/grad_norm": Metric("Norm of the value model's gradient before it is cut to max_grad_norm."),
    "value/learning_rate": Metric(
        "The value model's learning rate; `learning_rate` is the policy's, 0 in the warm-up."
    ),
}

WATCH = {
    "watch/scores": Metric(
        "Mean score by the reward model of the policy's answers to the watch's validation prompts, sampled afresh at "
        "every look, scaled as objective/scores is.",
        "higher",
    ),
    "watch/judge": Metric(
        "Mean score of the same answers by the judge: the gold rule, or the reward model of the judge stage as it is. "
        "Where it falls while watch/scores rises, the policy exploits its reward model.",
        "higher",
    ),
    "watch/kl": Metric("KL(policy ‖ reference) on the same answers, estimated as objective/kl is, in nats an answer."),
    "watch/length": Metric("Mean length of the same answers in tokens, their end-of-turn token included."),
    "watch/repetition": Metric(
        "Mean share of an answer's 3-grams of tokens that stood in it before (Welleck et al. 2020, seq-rep-n).", "lower"
    ),
    "watch/entropy": Metric("Mean entropy of the policy's next-token distributions over the same answers, in nats."),
    "watch/stopped": Metric(
        "Why PPO was stopped before its last update: 0 it was not, 1 the reward model's score had risen and the "
        "judge's fallen since an earlier look, 2 watch/kl was above ppo.watch.kl_budget."
    ),
    "watch/saved_update": Metric(
        "The update whose policy was saved: the last, or where PPO was stopped, that of the judge's best look."
    ),
}

TRAINING = {
    "loss": Metric("The stage's loss on the batches since the row before.", "lower"),
    "learning_rate": Metric("The optimizer's learning rate at that step."),
    "grad_norm": Metric("Norm of the gradient before it is cut to max_grad_norm."),
}

PRETRAINING = {
    "probe_accuracy": Metric("Share of the probe questions that the base model answers right, greedily.", "higher"),
}

SFT = {
    "token_accuracy": Metric("Share of the demonstrations' answer tokens that were the policy's likeliest.", "higher"),
    "entropy": Metric("Mean entropy of the policy's next-token distributions over the answers, in nats a token."),
}

REWARD = {
    "accuracy": Metric("Share of training pairs in the batch whose chosen answer scores higher.", "higher"),
    "margin": Metric("Mean of score(chosen) − score(rejected) over the batch's pairs.", "higher"),
    "mean_score": Metric("Mean score of all answers in the batch; it is held near 0."),
}

DPO = {
    "rewards/chosen": Metric("Mean implicit reward β·(logp − ref_logp) of the chosen answers in the batch."),
    "rewards/rejected": Metric("Mean implicit reward β·(logp − ref_logp) of the rejected answers in the batch."),
    "rewards/margins": Metric("Mean of the chosen answer's implicit reward less the rejected one's.", "higher"),
    "rewards/accuracies": Metric(
        "Share of pairs in the batch whose chosen answer has the higher implicit reward.", "higher"
    ),
    "logps/chosen": Metric("Mean log-probability of the chosen answers, in nats a sequence; it should not fall far."),
    "logps/rejected": Metric("Mean log-probability of the rejected answers, in nats a sequence."),
}

HELD_OUT = {
    "train/pairs": Metric("How many comparisons were learned from."),
    **{
        f"{split}/{name}": metric
        for split in ("validation", "test")
        for name, metric in {
            "pairs": Metric(f"How many {split} comparisons were measured on."),
            "accuracy": Metric(
                f"Share of {split} comparisons whose chosen answer gets the higher score (the reward model's, or DPO's "
                "implicit reward); an equal score counts half.",
                "higher",
                interval=True,
            ),
            "length_accuracy": Metric(
                f"The same on the {split} comparisons by length alone, longer or shorter being better as the training "
                "comparisons have it: what the accuracy has to beat."
            ),
        }.items()
    },
}

LABELS = {
    "labels/verdicts": Metric(
        "Number of verdicts that the labels were made from; `labels/by/NAME` is how many of them one annotator or "
        "judge gave."
    ),
    "labels/labellers": Metric("Number of annotators and judges who gave them."),
}
"""What the runs of label stages show in MLflow of who labelled."""

SLICES = {
    "slice/<kind>/accuracy": Metric(
        "As the accuracy of held-out comparisons, on the prompts of one kind, validation and test together. A kind is "
        "known, unknown or harmful in the default world, and in your data a value of the field data.slice_field.",
        "higher",
        interval=True,
    ),
    "slice/<kind>/pairs": Metric("How many comparisons that is."),
    "slice/<kind>/weak": Metric(
        "Only of a slice on which the reward model is weak: 1 it is not shown to be better than chance, 2 it is shown "
        "to be worse."
    ),
    "probe/<kind>/accuracy": Metric(
        "Share of held-out prompts whose best answer the reward model scores above every constructed worse one: "
        "abstaining above any made-up value (unknown), refusing above complying (harmful), the right value above "
        "abstaining (known). In the default world only.",
        "higher",
        interval=True,
    ),
    "probe/<kind>/pairs": Metric("How many prompts that is."),
    "probe/<kind>/weak": Metric("The same of a probe, whose bar is reward.least_probe_share and not chance."),
    "watch/slice/<kind>/scores": Metric("The same mean as watch/scores, on the prompts of one kind.", "higher"),
    "watch/slice/<kind>/judge": Metric("The same mean as watch/judge, on the prompts of one kind.", "higher"),
}
"""What is measured on each kind of prompt; `<kind>` stands for its name."""

RESULT = {
    "conditions/missed": Metric(
        "How many of eight conditions the tuned policy missed, four on sampled and four on greedy answers: its win "
        "rate against SFT is shown to be above 50 %; hallucination is at most half of SFT's; accuracy falls by at most "
        "5 points; refusal does not fall. Without a gold rule two, of the win rate.",
        "lower",
    ),
}

SECTIONS = {
    "Evaluation": EVALUATION,
    "Conditions on the result": RESULT,
    "PPO": PPO,
    "The watch over PPO": WATCH,
    "Every training stage": TRAINING,
    "Pre-training": PRETRAINING,
    "SFT": SFT,
    "Reward model": REWARD,
    "DPO": DPO,
    "Held-out comparisons (reward model and DPO)": HELD_OUT,
    "Labels": LABELS,
    "Slices (reward model, DPO, the watch over PPO)": SLICES,
}
METRICS: dict[str, Metric] = {name: metric for section in SECTIONS.values() for name, metric in section.items()}
"""Every name without prefix or suffix."""

_PREFIXES = ("", "greedy/", "sft/", "sft/greedy/")


_KIND = re.compile(r"^(slice|probe|watch/slice)/[^/]+/")


def declared_names() -> set[str]:
    """Every name that may be logged, with the prefixes and suffixes it may have."""
    prefixed = {prefix + name: metric for prefix in _PREFIXES for name, metric in EVALUATION.items()} | METRICS
    ends = {name + end for name, metric in prefixed.items() if metric.interval for end in ("_low", "_high")}
    return {*prefixed, *ends}


def require_declared(names: Iterable[str]) -> None:
    """Raises ValueError where a name is not declared here."""
    declared = declared_names()
    unknown = sorted(name for name in set(names) if _KIND.sub(r"\1/<kind>/", name) not in declared)
    if unknown:
        raise ValueError(f"undeclared metrics {unknown}: give each its meaning in stemma/metric_names.py")


def as_markdown() -> str:
    """docs/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "<!-- printed by `python -m stemma.metric_names`; edit stemma/metric_names.py instead -->",
        "",
        "An evaluation's numbers are about the tuned policy's answers, sampled at temperature 1. `greedy/` before a",
        "name means answers of the likeliest token at every step, `sft/` the SFT policy's answers, `sft/greedy/` both.",
        "Where a prompt has several answers it counts once, with their mean. `_low` and `_high` after a name marked ±",
        "are the ends of its 95 % interval; report.json has intervals for all of an evaluation's numbers. They are",
        "over prompts, taken as independent; they say nothing of how another seed of training would turn out.",
        "Accuracies of comparisons count all pairs as if independent, those of one prompt too, so their intervals are",
        "somewhat too narrow.",
    ]
    for title, section in SECTIONS.items():
        lines += ["", f"## {title}", "", "| metric | better | meaning |", "|---|---|---|"]
        lines += [
            f"| `{name}`{' ±' if metric.interval else ''} | {metric.better or ''} | {metric.meaning} |"
            for name, metric in section.items()
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(as_markdown(), end="")
