"""A reward model that is no better than chance on a slice: the run stops, or goes on with a warning on record."""

from collections.abc import Mapping

from stemma.errors import TrainingError
from stemma.evaluation.slices import sentences, weaknesses
from stemma.stage.door import Stage
from stemma.training.reward_settings import RewardSettings


def require_slices_better_than_chance(
    metrics: Mapping[str, float], settings: RewardSettings, what: str, section: str, stage: Stage
) -> None:
    """Stop where a slice or a probe is shown to be worse than chance; warn where none is shown to be better.

    Both ask for `fewest_slice_pairs` pairs. That a slice is worse than chance must be shown at an error of 5 % over all
    slices and probes together, so many small slices do not stop a run by accident. `section` is the section of the
    settings. Raises TrainingError with the slices, their numbers and the remedy.
    """
    weak = weaknesses(metrics, settings.fewest_slice_pairs)
    if not weak:
        return
    remedy = (
        "Label more pairs of that slice, sample more answers a prompt (sample.responses) so that rare answers meet the "
        f"others, or train longer ({section}.epochs)."
    )
    message = f"{what} is weak on a part of the data: {sentences(weak)}. {remedy}"
    if settings.slices_must_beat_chance and any(weakness.below for weakness in weak):
        raise TrainingError(
            f"{message} A policy trained on it would learn the worse answers there. "
            f"{section}.slices_must_beat_chance=false goes on with this as a warning."
        )
    stage.progress.say(f"WARNING: {message}")
