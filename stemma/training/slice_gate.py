"""A reward model that is no better than chance on a slice: the run stops, or goes on with a warning on record."""

from collections.abc import Mapping

from stemma.errors import TrainingError
from stemma.evaluation.slices import Bar, weak_metrics
from stemma.evaluation.slices import as_metrics as slice_metrics
from stemma.records.types import Split
from stemma.slice_metrics import BELOW, weak_slices
from stemma.stage.door import Stage
from stemma.training.held_out import HeldOut, as_metrics, slice_accuracies
from stemma.training.reward_settings import RewardSettings


def metrics_past_the_gate(
    measured: Mapping[Split, HeldOut],
    probes: Mapping[str, Bar],
    settings: RewardSettings,
    stage: Stage,
    *,
    remedy: str,
    consequence: str,
) -> dict[str, float]:
    """The metrics of held-out pairs, slices and probes; `stage` trains a reward model.

    A slice that is shown to be worse than chance stops the run, and so does a probe that is shown to miss its bar; one
    that is not shown to be above its bar is a warning, and a metric `…/weak`. Both ask for `fewest_slice_pairs` pairs,
    and the interval that stops holds for all slices and probes together at 95 %, so many small slices do not stop a run
    by accident. `remedy` and `consequence` are the stage's sentences on a weak model.
    Raises TrainingError with the slices, their numbers, the remedy and the consequence.
    """
    weak = weak_metrics(slice_accuracies(measured), probes, settings.fewest_slice_pairs)
    probed = slice_metrics("probe", {kind: bar.accuracy for kind, bar in probes.items()})
    metrics = {**as_metrics(measured), **probed, **weak}
    if not weak:
        return metrics
    message = f"the model of stage {stage.name} is weak on a part of the data: {weak_slices(metrics)}. {remedy}"
    if BELOW in weak.values() and settings.slices_must_beat_chance:
        raise TrainingError(
            f"{message} {consequence} {stage.name}.slices_must_beat_chance=false goes on, with this as a warning."
        )
    stage.progress.say(f"WARNING: {message}")
    return metrics
