"""What an export says of a model in plain words: what it is for, and what is not known of it."""

from stemma.export.story import Story

KINDS = {
    "base": "a language model before any alignment",
    "sft": "a language model fine-tuned on demonstrations",
    "judge": "a reward model that judges answers at evaluation",
    "reward": "a reward model: it scores answers, and learned from comparisons",
    "ppo": "a language model aligned with PPO against a reward model",
    "dpo": "a language model aligned with DPO, straight from comparisons",
}
"""What the artifact of each stage is."""
SCORERS = ("judge", "reward")


def kind(story: Story) -> str:
    """What the model is."""
    return KINDS[story.model.fact.name]


def uses(story: Story) -> list[str]:
    """What the model is meant for."""
    if story.model.fact.name in SCORERS:
        return ["Scoring answers to prompts like those it was trained on, while a policy is trained or evaluated."]
    return ["Answering prompts like those it was trained and evaluated on, once its numbers were found good enough."]


def limits(story: Story) -> list[str]:
    """What is not known of the model, or known to be so."""
    found = []
    if not story.numbers:
        found.append("Nothing was measured of these bytes in their run, so nothing is known of how good they are.")
    else:
        found.append(
            "The numbers are about held-out prompts of the same data; how it answers anything else was not measured."
        )
        found.append("Intervals are 95 %, over prompts; they say nothing of another seed of training.")
    if not any(story.raw.values()) and not story.fetched:
        found.append(
            "It was trained on a made-up world alone, and knows nothing of the real one: it is for trying the pipeline."
        )
    if any(made.simulated for made in story.made.values()):
        found.append("Its labels come from simulated annotators, not from people.")
    found += [
        f"It has the limits and the licence of the model it started from, {fetched.model}." for fetched in story.fetched
    ]
    found.append("Its licence is not on record: ask whoever gave it to you.")
    return found
