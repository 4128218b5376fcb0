"""Where a run in MLflow differs from what is on record, and what would mend it."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from stemma.config import Values
from stemma.lineage.explain import flat
from stemma.lineage.placeholders import asked_nobody, used_params
from stemma.lineage.runs import MODEL_STAGES
from stemma.lineage.store import Store
from stemma.view.facts import Ends
from stemma.view.store import (
    CONTEXT,
    INPUT,
    LONGEST_TAG,
    OUTPUT,
    MlflowStore,
    Point,
    inputs_of,
    shown_setting,
)

OURS = "stemma."
"""What our tags begin with."""
FREE = frozenset({"stemma.rebuilt", "stemma.reason", "stemma.made_by", "stemma.made_by_run_id"})
"""Tags that are right where the record says nothing of them."""
SYSTEM = "system/"
"""What MLflow itself measures begins with this."""
REBUILD = "MLflow cannot change that, delete the run there to have it rebuilt"

Bytes = tuple[str, str]
"""The name of an artifact in MLflow, and its DVC id."""


@dataclass(frozen=True)
class Difference:
    """One thing that MLflow has otherwise."""

    words: str
    mend: Callable[[], object] | None = None
    """What puts it right; None where MLflow cannot change it."""

    def settle(self) -> bool:
        """Put it right, where that can be; returns whether it could."""
        if self.mend:
            self.mend()
        return self.mend is not None


def tag_differences(
    where: str,
    have: Mapping[str, str],
    want: Mapping[str, str],
    write: Callable[[dict[str, str]], object],
    remove: Callable[[str], object],
) -> Iterator[Difference]:
    """Tags that are missing, edited, or ours by their name and not on record."""
    wrong = {key: value for key, value in want.items() if have.get(key) != value}
    if wrong:
        told = ", ".join(f"tag {key} is {_quoted(have.get(key))}, not {value!r}" for key, value in wrong.items())
        yield Difference(f"{where}: {told}", lambda: write(wrong))
    for key in sorted(set(have) - set(want) - FREE):
        if key.startswith(OURS):
            yield Difference(f"{where}: tag {key} is {have[key]!r}, which is not on record", partial(remove, key))


def run_tag_differences(mlflow: MlflowStore, where: str, run: Any, want: Mapping[str, str]) -> Iterator[Difference]:
    """The same of a run."""
    number = run.info.run_id
    return tag_differences(
        where,
        run.data.tags,
        {key: value[:LONGEST_TAG] for key, value in want.items()},
        lambda tags: mlflow.set_tags(number, tags),
        lambda key: mlflow.client.delete_tag(number, key),
    )


def status_differences(mlflow: MlflowStore, where: str, run: Any, at: datetime) -> Iterator[Difference]:
    """A run on record is a finished one."""
    if run.info.status != "FINISHED":
        yield Difference(
            f"{where}: its status is {run.info.status}, not FINISHED",
            lambda: mlflow.client.set_terminated(run.info.run_id, "FINISHED", run.info.end_time or _milliseconds(at)),
        )


def setting_differences(
    where: str, run: Any, settings: Values, write: Callable[[str, Values], object]
) -> Iterator[Difference]:
    """Settings that are missing are logged; one that is otherwise cannot be changed in MLflow."""
    have, want = run.data.params, {key: shown_setting(value) for key, value in flat(settings).items()}
    missing = sorted(set(want) - set(have))
    if missing:
        yield Difference(f"{where}: {_counted(missing, 'setting')} missing", lambda: write(run.info.run_id, settings))
    for key in sorted(have):
        if have[key] != want.get(key):
            yield Difference(f"{where}: setting {key} is {have[key]!r}, on record {_quoted(want.get(key))}; {REBUILD}")


def number_differences(
    mlflow: MlflowStore,
    where: str,
    run: Any,
    finals: Mapping[str, float],
    curve: Sequence[Point] | None,
    at: datetime,
) -> Iterator[Difference]:
    """Numbers that are missing or otherwise; `curve` is None where the record of the steps is not here."""
    number, latest = run.info.run_id, run.data.metrics
    lacking = [(name, 0, value) for name, value in finals.items() if latest.get(name) != value]
    names = sorted({name for name, _, _ in (*lacking, *(curve or ()))} & set(latest))
    have = {name: _points(mlflow, number, name) for name in names}
    want = dict.fromkeys([*lacking, *(curve or ())])
    missing = [point for point in want if point[1:] not in have.get(point[0], set())]
    if missing:
        told = _counted(sorted({name for name, _, _ in missing}), "metric")
        # Of two numbers of one step MLflow shows the later, and that has to be the right one.
        when = datetime.now(UTC) if have else at
        yield Difference(
            f"{where}: {len(missing)} numbers of {told} missing",
            lambda: mlflow.log_points(number, missing, _milliseconds(when)),
        )
    if curve is not None:
        known = {*want, *((name, 0, value) for name, value in finals.items())}
        points = {(name, *point) for name, found in have.items() for point in found}
        strange = sorted(
            {name for name, _, _ in points - known}
            | {name for name in latest if name not in finals and name not in have and not name.startswith(SYSTEM)}
        )
        if strange:
            yield Difference(f"{where}: {_counted(strange, 'metric')} with numbers that are not on record; {REBUILD}")


def input_differences(
    mlflow: MlflowStore, store: Store, where: str, run: Any, known: Mapping[str, Bytes], facts: Ends
) -> Iterator[Difference]:
    """Datasets and models, in and out, that are missing or not on record; `known` are the models by their id."""
    number, inputs = run.info.run_id, inputs_of(facts.entry).items()
    made = (facts.stage, facts.dvc_id)
    is_model = facts.stage in MODEL_STAGES
    is_data = not is_model and not asked_nobody(facts.stage, used_params(facts.entry))
    want_data = {(*item, INPUT) for item in inputs if item[0] not in MODEL_STAGES}
    want_data |= {(*made, OUTPUT)} if is_data else set()
    want_in = {item for item in inputs if item[0] in MODEL_STAGES}
    want_out = {made} if is_model else set()
    data = {_named(item) for item in run.inputs.dataset_inputs}
    models_in = {known[item.model_id] for item in run.inputs.model_inputs if item.model_id in known}
    models_out = {known[item.model_id] for item in run.outputs.model_outputs if item.model_id in known}
    if want_in - models_in or any(item[2] == INPUT for item in want_data - data):
        yield Difference(f"{where}: inputs are missing", lambda: mlflow.log_inputs(number, facts.entry, store))
    if want_out - models_out or any(item[2] == OUTPUT for item in want_data - data):
        yield Difference(
            f"{where}: its output is missing", lambda: mlflow.log_output(number, facts.stage, facts.entry, store)
        )
    strange = sorted({item[0] for item in (*data - want_data, *models_in - want_in, *models_out - want_out)})
    if strange:
        told = ", ".join(strange)
        yield Difference(f"{where}: it names inputs or outputs that are not on record ({told}); {REBUILD}")


def file_differences(
    mlflow: MlflowStore, where: str, run: str, files: Mapping[str, str], poorer: Collection[str] = ()
) -> Iterator[Difference]:
    """Files of a run that are missing or otherwise; one of the `poorer`, which this clone cannot make whole, stays."""
    for name, text in files.items():
        there = mlflow.read_text(run, name)
        if there is None or (there != text and name not in poorer):
            words = "is missing" if there is None else "is not what is on record"
            yield Difference(f"{where}: the file {name} {words}", partial(mlflow.client.log_text, run, text, name))


def _named(item: Any) -> tuple[str, str, str]:
    """Name, digest and context of a dataset."""
    context = next((tag.value for tag in item.tags if tag.key == CONTEXT), "")
    return item.dataset.name, item.dataset.digest, context


def _points(mlflow: MlflowStore, run: str, name: str) -> set[tuple[int, float]]:
    return {(point.step, point.value) for point in mlflow.client.get_metric_history(run, name)}


def _counted(names: Sequence[str], noun: str) -> str:
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{noun} {shown}" if len(names) == 1 else f"{len(names)} {noun}s ({shown})"


def _quoted(value: str | None) -> str:
    return "missing" if value is None else repr(value)


def _milliseconds(when: datetime) -> int:
    return int(when.timestamp() * 1000)
