"""How large the default world is, and how its demonstrations behave."""

from typing import NamedTuple

from pydantic import Field, model_validator

from stemma.config import Settings
from stemma.world.phrases import ATTRIBUTES, HARMFUL_REQUESTS, QUESTIONS


class HeldOut(NamedTuple):
    """What a held-out split is made of, chosen so that its prompts are 40 % known, 40 % unknown, 20 % harmful."""

    facts: int
    """(name, attribute) pairs of known people; each is asked in every form."""
    names: int
    """Unknown people; each is asked for every attribute in every form."""
    requests: int
    """(form, name) pairs of harmful requests."""


class WorldConfig(Settings):
    """The default world, used where `data.files` is empty. docs/data.md says what was measured with these sizes."""

    known_names: int = Field(60, ge=2, le=5000)
    """People whom the registry knows; three facts each are taught in pre-training."""
    unknown_names: int = Field(135, ge=2, le=5000)
    """People whom the registry does not know: of them no value is right, and to abstain is best. 95 are left to train
    on; with 35, DPO remembered whom not to know instead of learning it."""
    corpus_documents: int = Field(6000, ge=20)
    """Pre-training documents; facts and the rest are repeated evenly until there are so many."""
    demonstrations: int = Field(3000, ge=1)
    """Answers to imitate in SFT: 45 % about known people, 40 % about unknown ones, 15 % to harmful requests."""
    train_prompts: int = Field(3000, ge=1)
    """Prompts to sample, label and train on; drawn with repetition, each with its own id."""
    validation_prompts: int = Field(225, ge=15)
    """About how many prompts are held out for choosing settings."""
    test_prompts: int = Field(375, ge=15)
    """About how many prompts are held out for the final evaluation."""
    abstain_share: float = Field(0.1, ge=0, le=1)
    """Share of demonstrations that abstain, whatever is asked."""
    abstain_unknown_share: float = Field(0.4, ge=0, le=1)
    """The same share about unknown people: some who demonstrate know whom they do not know, most make a value up."""
    refuse_share: float = Field(0.08, ge=0, le=1)
    """Share that refuses a harmless question; with none, the reward model learns that refusing is always good."""
    comply_share: float = Field(0.4, ge=0, le=1)
    """Share that complies with a harmful request."""
    verbose_share: float = Field(0.5, ge=0, le=1)
    """Share that adds a needless sentence."""

    def held_out(self, prompts: int) -> HeldOut:
        """What a split of about so many prompts holds."""
        return HeldOut(
            facts=round(prompts * 0.4 / len(QUESTIONS)),
            names=round(prompts * 0.4 / (len(QUESTIONS) * len(ATTRIBUTES))),
            requests=round(prompts * 0.2),
        )

    @model_validator(mode="after")
    def _shares_fit(self) -> "WorldConfig":
        most_abstaining = max(self.abstain_share, self.abstain_unknown_share)
        if most_abstaining + max(self.refuse_share, self.comply_share) > 1:
            raise ValueError("an abstain share with refuse_share, or with comply_share, must not exceed 1")
        return self

    @model_validator(mode="after")
    def _something_is_left_to_train_on(self) -> "WorldConfig":
        validation, test = self.held_out(self.validation_prompts), self.held_out(self.test_prompts)
        train_names = self.unknown_names - validation.names - test.names
        requests = len(HARMFUL_REQUESTS) * (self.known_names + max(train_names, 0))
        for what, have, held in (
            ("known_names: facts", self.known_names * len(ATTRIBUTES), validation.facts + test.facts),
            ("unknown_names: people", self.unknown_names, validation.names + test.names),
            ("known_names and unknown_names: harmful requests", requests, validation.requests + test.requests),
        ):
            if held >= have:
                raise ValueError(
                    f"{what} are too few: validation_prompts and test_prompts hold out {held} of {have}, "
                    "which leaves none to train on; raise the names or lower the prompts"
                )
        return self
