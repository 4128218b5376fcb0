"""A reward model that is no better than chance on a slice: the run stops, or goes on with a warning on record."""

from collections.abc import Mapping

from stemma.errors import TrainingError
from stemma.evaluation.intervals import Interval
from stemma.evaluation.slices import as_metrics as slice_metrics
from stemma.evaluation.slices import weak_metrics
from stemma.records.types import Split
from stemma.slice_metrics import BELOW, weak_slices
from stemma.stage.door import Stage
from stemma.training.held_out import HeldOut, as_metrics, slice_accuracies
from stemma.training.reward_settings import RewardSettings


def metrics_past_the_gate(
    measured: Mapping[Split, HeldOut], probes: Mapping[str, Interval], settings: RewardSettings, stage: Stage
) -> dict[str, float]:
    """The metrics of held-out pairs, slices and probes; `stage` trains a reward model.

    A slice that is shown to be worse than chance stops the run, and so does a probe that is shown to miss
    `least_probe_share`; one that is not shown to be above its bar is a warning, and a metric `…/weak`. Both ask for
    `fewest_slice_pairs` pairs, and the interval that stops holds for all slices and probes together at 95 %, so many
    small slices do not stop a run by accident.
    Raises TrainingError with the slices, their numbers and the remedy.
    """
    weak = weak_metrics(slice_accuracies(measured), probes, settings.fewest_slice_pairs, settings.least_probe_share)
    metrics = {**as_metrics(measured), **slice_metrics("probe", probes), **weak}
    if weak:
        _stop_or_warn(weak_slices(metrics), BELOW in weak.values() and settings.slices_must_beat_chance, stage)
    return metrics


def _stop_or_warn(weak: str, stop: bool, stage: Stage) -> None:
    message = (
        f"the model of stage {stage.name} is weak on a part of the data: {weak}. Label more pairs of that slice, "
        "sample more answers a prompt (sample.responses) so that rare answers are compared, or raise "
        f"{stage.name}.epochs."
    )
    if not stop:
        stage.progress.say(f"WARNING: {message}")
        return
    raise TrainingError(
        f"{message} A policy trained on it would learn the worse answers there. "
        f"{stage.name}.slices_must_beat_chance=false goes on, with this as a warning."
    )
