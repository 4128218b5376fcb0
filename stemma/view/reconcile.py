"""MLflow brought in step with Git and DVC: all of it, or just one registered model after an act on it."""

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from stemma.config import Values
from stemma.errors import StemmaError
from stemma.lineage.index import Index, open_index
from stemma.lineage.registering import catch_up_all
from stemma.lineage.registry import Version, models
from stemma.lineage.store import Store
from stemma.stage.locks import lock
from stemma.view.difference import Difference
from stemma.view.facts import Facts
from stemma.view.model_differences import model_differences
from stemma.view.registry import LOCK, ShownModel
from stemma.view.runs import ShownRuns
from stemma.view.store import MlflowStore, answering, in_short, paged, patience, tracking_uri
from stemma.view.version_facts import model_facts

TRIES = 1
SECONDS = 5
"""How long an act waits for MLflow."""


@dataclass
class Report:
    """What was found and done."""

    mended: list[str] = field(default_factory=list)
    """What MLflow had otherwise, and now has right."""
    unmended: list[str] = field(default_factory=list)
    """What MLflow has otherwise still, or has and Git does not."""
    notes: list[str] = field(default_factory=list)
    """What could not be brought back."""


def reconcile(
    root: Path, defaults: Values, drop_unknown: bool = False, say: Callable[[str], object] = lambda _: None
) -> Report:
    """Rebuild or repair the view in MLflow; `say` hears of each difference as it is mended.

    `defaults` are the settings' defaults, for the pages of family trees. With `drop_unknown` versions that Git does not
    have are removed. What other clones did is heard first, for it would be taken for unknown otherwise. Raises
    ServiceError where MLflow does not answer, SilentRemoteError where the Git remote does not.
    """
    catch_up_all(root)
    with answering(tracking_uri(root)), closing(open_index(root)) as index, Store(root) as store:
        mlflow = MlflowStore(root)
        runs = ShownRuns(root, mlflow, Facts(root, index, store, defaults))
        work = _Reconciliation(root, mlflow, index, store, runs, say)
        work.report.unmended += runs.unknown()
        work.mend(runs.differences())
        work.mend(model_differences(root, mlflow))
        for name in models(root):
            with lock(root / LOCK):
                work.model(name, defaults, drop_unknown)
        work.report.unmended += _unknown_models(root, mlflow)
        work.report.notes += [
            f"the training curve of run {stage}: its bytes are neither in the DVC cache nor on the remote"
            for stage in runs.without_curve
        ]
    return work.report


def follow(root: Path, model: str, defaults: Values) -> str | None:
    """Make aliases, tags and descriptions of a registered model's versions in MLflow equal to Git's.

    It is made for the moment after an act: it waits seconds at most for MLflow, and creates nothing that is missing.
    Returns why MLflow does not follow, or None where it does.
    """
    uri = tracking_uri(root)
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).exists():
        return (
            f"MLflow does not show this yet: there is no {uri.removeprefix('sqlite:///')}; `stemma reconcile` makes it"
        )
    try:
        with (
            patience(TRIES, SECONDS),
            answering(uri),
            lock(root / LOCK),
            closing(open_index(root)) as index,
            Store(root) as store,
        ):
            shown = ShownModel(MlflowStore(root), model_facts(root, index, store, model, defaults))
            for difference in shown.follow():
                difference.settle()
            missing = shown.missing()
    except StemmaError as error:
        return f"MLflow does not show this yet. {error}"
    if missing:
        told = ", ".join(f"{model}/{number}" for number in missing)
        return f"MLflow has no {told}; `stemma reconcile` brings them back"
    return None


@dataclass(frozen=True)
class _Reconciliation:
    """The work of one reconciliation."""

    root: Path
    mlflow: MlflowStore
    index: Index
    store: Store
    runs: ShownRuns
    say: Callable[[str], object]
    report: Report = field(default_factory=Report)

    def mend(self, differences: Iterable[Difference]) -> None:
        """Mend each difference as it is found; one that cannot be mended does not hold up the others."""
        from mlflow.exceptions import MlflowException

        for difference in differences:
            try:
                mended = difference.settle()
            except StemmaError as error:
                self._leave(f"{difference.words}. {error}")
            except (MlflowException, OSError) as error:
                self._leave(f"{difference.words}. MLflow refuses that: {in_short(error)}")
            else:
                if mended:
                    self.report.mended.append(difference.words)
                    self.say(difference.words)
                else:
                    self._leave(difference.words)

    def model(self, name: str, defaults: Values, drop_unknown: bool) -> None:
        """Bring a registered model in step: what is there, then what is missing."""
        facts = model_facts(self.root, self.index, self.store, name, defaults)
        self.mend(ShownModel(self.mlflow, facts).unknown(drop_unknown))
        shown = ShownModel(self.mlflow, facts)
        self.mend(shown.follow())
        self.mend(shown.rebuild(self._child, drop_unknown))
        self.mend(ShownModel(self.mlflow, facts).follow())

    def _leave(self, words: str) -> None:
        """Report what stays different, once: aliases are compared before and after a model's versions are rebuilt."""
        if words not in self.report.unmended:
            self.report.unmended.append(words)

    def _child(self, version: Version) -> str | None:
        return self.runs.child(version.commit, version.stage)


def _unknown_models(root: Path, mlflow: MlflowStore) -> list[str]:
    """The registered models in MLflow whose versions say that they are ours, and that Git does not have."""
    known = models(root)
    found = paged(lambda token: mlflow.client.search_model_versions("tags.`stemma.dvc_id` != ''", page_token=token))
    strange = sorted({version.name for version in found} - set(known))
    return [f"registered model {name} has versions of Stemma and is not in Git here" for name in strange]
