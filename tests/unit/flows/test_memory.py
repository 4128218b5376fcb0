"""Less at once, and as much in a step as before."""

from typing import Any

import pytest

from flows.memory import remedy, with_less_at_once
from flows.settings import RetrainSettings, stage_values

SETTINGS = RetrainSettings()


def set_to(section: str, **changes: Any) -> RetrainSettings:
    values = stage_values(SETTINGS)
    return RetrainSettings.model_validate({**values, section: {**values[section], **changes}})


@pytest.mark.parametrize(
    ("batch", "accumulation", "finer"),
    [(16, 1, 2), (16, 2, 4), (16, 8, 16), (16, 16, None), (15, 1, 3), (15, 3, 15), (7, 1, 7), (1, 1, None)],
)
def test_a_forward_pass_has_half_the_rows_and_a_step_as_many(batch: int, accumulation: int, finer: int | None) -> None:
    before = set_to("sft", batch_size=batch, accumulation=accumulation)
    found = with_less_at_once(before, "sft")
    if finer is None:
        assert found is None
        return
    assert found is not None
    after, words = found
    assert words == f"sft.accumulation {accumulation} → {finer}"
    assert after == set_to("sft", batch_size=batch, accumulation=finer)


def test_the_answers_that_are_read_when_training_is_done_are_halved_too() -> None:
    found = with_less_at_once(set_to("dpo", batch_size=4, accumulation=2, eval_batch_size=3), "dpo")
    assert found is not None
    assert found[1] == "dpo.accumulation 2 → 4, dpo.eval_batch_size 3 → 1"
    again = with_less_at_once(found[0], "dpo")
    assert again is None


def test_ppo_halves_its_micro_batch_to_one_row() -> None:
    settings, sizes = SETTINGS, []
    while (found := with_less_at_once(settings, "ppo")) is not None:
        settings = found[0]  # type: ignore[assignment]
        sizes.append(settings.ppo.micro_batch_size)
    assert sizes == [16, 8, 4, 2, 1]
    assert settings == set_to("ppo", micro_batch_size=1)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        (
            "sft",
            "with one row in a forward pass either: take a smaller model, sft.tuning=lora, sft.grad",
        ),
        ("ppo", "ppo.tuning=lora, or a machine with more memory"),
        ("ppo", "sampling takes all prompts at once: lower ppo.rollouts, ppo.watch.prompts or ppo.max_new_tokens"),
        ("eval", "Lower eval.batch_size"),
        ("base", "Lower base.batch_size"),
        ("data", "Take a machine with more memory."),
    ],
)
def test_what_is_left_for_a_person_to_do(section: str, words: str) -> None:
    assert words in remedy(SETTINGS, section)
    if section not in {"sft", "ppo"}:
        assert with_less_at_once(SETTINGS, section) is None
