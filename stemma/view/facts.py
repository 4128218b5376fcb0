"""What MLflow has to say of a run, as Git and DVC tell it."""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stemma.config import Values
from stemma.errors import StemmaError
from stemma.lineage.answers import EVALUATION, answers_in, answers_of
from stemma.lineage.dvc import LockEntry
from stemma.lineage.explain import NEVER_RUN, explain
from stemma.lineage.index import Derivation, Index, is_data
from stemma.lineage.registry import Registry, models
from stemma.lineage.runs import Run
from stemma.lineage.store import Store
from stemma.records.answer_examples import AnswerExamples
from stemma.slice_metrics import weak_slices
from stemma.stage.progress import HISTORY
from stemma.view.store import Point

MOST_CHARS = 5000
"""MLflow takes no longer tag."""
MODULE = re.compile(r"tasks\.(\w+)")


@dataclass(frozen=True)
class Ends:
    """What was used and what was made of it: by a stage, or by a whole run."""

    stage: str
    """The stage that made the artifact."""
    dvc_id: str
    entry: LockEntry


@dataclass(frozen=True)
class StageFacts(Ends):
    """What is known of one stage of a run."""

    settings: Values
    metrics: Mapping[str, float]
    """The final numbers."""
    tags: Mapping[str, str]
    maker: str
    """The run on record that made the bytes, where the stage was restored; else empty."""


class Facts:
    """What is known of a project's runs."""

    def __init__(self, root: Path, index: Index, store: Store) -> None:
        self._index = index
        self._store = store
        self.oldest_first = index.runs()[::-1]
        self._names = _version_names(root)

    def run_tags(self, run: Run) -> dict[str, str]:
        """The tags that a run's parent run and all its child runs have."""
        name = self._names.get(run.commit)
        return {
            **source_tags(run),
            "stemma.experiment_commit": run.commit,
            **({"stemma.model_version": name} if name else {}),
            **warning_tags(run.metrics),
        }

    def metrics(self, run: Run) -> dict[str, float]:
        """The numbers of the parent run: the policy's evaluation."""
        policy = run.trailers.get("Policy", "").partition("=")[0]
        return dict(run.metrics.get(f"eval_{policy}", {}))

    def stages(self, run: Run) -> list[StageFacts]:
        """What is known of each stage, in order."""
        made = self._index.of_run(run.commit)
        return [self._stage(run, made[stage]) for stage in run.stages if stage in made]

    def curve(self, facts: StageFacts) -> list[Point] | None:
        """The training curve of a stage; empty where it has none, None where its bytes are nowhere here."""
        if facts.tags["stemma.state"] != "ran":
            return []
        try:
            files = self._store.files(facts.dvc_id)
            if files is None or HISTORY not in files:
                return None if files is None else []
            text = self._store.read(facts.dvc_id, HISTORY)
        except StemmaError:
            return None
        return None if text is None else _points(text.decode())

    def answers(self, run: Run, facts: StageFacts | None = None) -> AnswerExamples | None:
        """The answers that a run shows, or one of its stages; None where it has none, or their bytes are not here."""
        try:
            if facts is None:
                return answers_of(self._store, run)
            return answers_in(self._store, facts.dvc_id) if facts.stage.startswith(EVALUATION) else None
        except StemmaError:
            return None

    def reason(self, run: Run, facts: StageFacts) -> str:
        """Why the stage ran: what differed from the newest run before this one that has it."""
        earlier = self.oldest_first[: self.oldest_first.index(run)]
        before = next((old for old in reversed(earlier) if facts.stage in old.stages), None)
        derivation = self._index.of_run(before.commit).get(facts.stage) if before else None
        if before is None or derivation is None:
            return NEVER_RUN
        return explain(facts.stage, facts.entry, derivation.entry, before.name)

    def ends(self, run: Run) -> Ends:
        """What a whole run began from, its raw inputs, and the policy that it made."""
        stage, _, policy = run.trailers.get("Policy", "").partition("=")
        used = [dep for made in self._index.of_run(run.commit).values() for dep in made.entry.get("deps", [])]
        raw = {dep["path"]: dep for dep in used if _is_raw(dep["path"])}
        return Ends(stage, policy, {"deps": [raw[path] for path in sorted(raw)]})

    def _stage(self, run: Run, derivation: Derivation) -> StageFacts:
        stage, dvc_id, entry = derivation.stage, derivation.artifact, derivation.entry
        ran = run.made.get(stage) == dvc_id
        maker = None if ran else self._index.maker(stage, dvc_id)
        tags = {
            **self.run_tags(run),
            "stemma.stage": stage,
            "stemma.state": "ran" if ran else "cached",
            "stemma.dvc_id": dvc_id,
            **({"stemma.made_by": maker.name} if maker else {}),
        }
        metrics = run.metrics.get(stage, {})
        return StageFacts(stage, dvc_id, entry, _settings(run, entry), metrics, tags, maker.commit if maker else "")


def warning_tags(metrics: Mapping[str, Mapping[str, float]]) -> dict[str, str]:
    """What a run's models are weak on, by their stages' metrics; nothing if there is nothing to warn of."""
    weak = {stage: weak_slices(numbers) for stage, numbers in metrics.items()}
    words = "\n".join(f"{stage}: {text}" for stage, text in weak.items() if text)
    return {"stemma.warnings": words[:MOST_CHARS]} if words else {}


def source_tags(run: Run) -> dict[str, str]:
    """Which code and which run something comes from."""
    return {
        "mlflow.source.git.commit": run.baseline,
        "stemma.flow": run.flow,
        "stemma.run": run.name,
        "stemma.dirty": str(run.dirty).lower(),
        "stemma.experiment": run.name,
        "prefect.flow_run_id": run.trailers.get("Prefect-Flow-Run", ""),
    }


def _version_names(root: Path) -> dict[str, str]:
    """What the registered versions are called, by the commits of their runs."""
    names: dict[str, str] = {}
    for model in models(root):
        for version in Registry(root, model).read().versions.values():
            names.setdefault(version.commit, f"{model}/{version.number}")
    return names


def _settings(run: Run, entry: LockEntry) -> Values:
    """The settings that a stage's bytes depend on, by section."""
    module = MODULE.search(entry["cmd"])
    sections = ("seed", "machine", module.group(1) if module else "")
    return {key: run.params[key] for key in sections if key in run.params}


def _is_raw(path: str) -> bool:
    return is_data(path) and not path.startswith("artifacts/")


def _points(text: str) -> list[Point]:
    rows = csv.DictReader(io.StringIO(text))
    return [
        (name, int(row["step"]), float(value))
        for row in rows
        for name, value in row.items()
        if name != "step" and value
    ]
