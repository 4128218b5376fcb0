"""What MLflow has to say of a run, as Git and DVC tell it."""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from stemma.config import Values
from stemma.errors import StemmaError
from stemma.lineage.answers import answers_in, answers_of
from stemma.lineage.dvc import LockEntry
from stemma.lineage.explain import NEVER_RUN, explain
from stemma.lineage.git import Git
from stemma.lineage.index import Derivation, Index, is_data
from stemma.lineage.names import policy_of
from stemma.lineage.placeholders import asked_nobody, recorded_emptiness, shown_inputs
from stemma.lineage.registry import Registry, models
from stemma.lineage.runs import EVALUATION, FLOW_RUN, Run
from stemma.lineage.store import Store
from stemma.lineage.trace import Trace, changed_settings, trace
from stemma.lineage.trace_page import trace_html
from stemma.records.answer_examples import AnswerExamples
from stemma.slice_metrics import weak_slices
from stemma.stage.progress import HISTORY
from stemma.view.labelling_facts import labelling_facts
from stemma.view.origin import origin_of, really_used
from stemma.view.run_page import SETTINGS, TREE, headline, run_page
from stemma.view.store import Point

MOST_CHARS = 5000
"""MLflow takes no longer tag."""
MODULE = re.compile(r"tasks\.(\w+)")
NOTE = "mlflow.note.content"
"""The tag that MLflow shows as a run's description."""
PASSWORD = re.compile(r"(?<=://)\S*@")
"""A user and a password in an address, up to its last @: a password may hold one, or a slash."""


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
    """What is known of a project's runs. `defaults` are the settings' defaults, section by section."""

    def __init__(self, root: Path, index: Index, store: Store, defaults: Values) -> None:
        self._index = index
        self.store = store
        self._defaults = defaults
        self.oldest_first = index.runs()[::-1]
        self._names = _version_names(root)
        self._traces: dict[str, Trace] = {}
        """The trace of each run's policy, by the run's commit."""

    def run_tags(self, run: Run) -> dict[str, str]:
        """The tags that a run's parent run and all its child runs have."""
        name = self._names.get(run.commit)
        return {
            **source_tags(run),
            **code_tags(run.flow, run.baseline),
            "stemma.experiment_commit": run.commit,
            **({"stemma.model_version": name} if name else {}),
            **warning_tags(run.metrics),
        }

    def parent_tags(self, run: Run) -> dict[str, str]:
        """The tags of its parent run, with its page and what its policy was made from."""
        origin = origin_of(self._trace(run), run, self._defaults)
        page = run_page(run, origin, self._names.get(run.commit, ""))
        return {**self.run_tags(run), **origin.tags(), NOTE: page}

    def changed(self, run: Run) -> Values:
        """The settings of a run that differ from their defaults, by their dotted keys."""
        settings = changed_settings(really_used(run.params), self._defaults)
        return {key: value for key, (_, value) in settings.items()}

    def files(self, run: Run) -> dict[str, str]:
        """The files of its parent run by name: all settings, and the page of its policy's family tree."""
        told = self._trace(run)
        return {SETTINGS: run.params_text, TREE: trace_html(told)}

    def lacks_labellers(self, run: Run) -> bool:
        """Whether labels in its family are nowhere here, so that its tree cannot name who gave them."""
        facts = self._trace(run).facts.values()
        return any(fact.name == "label" and not fact.labellers for fact in facts)

    def metrics(self, run: Run) -> dict[str, float]:
        """The numbers of the parent run: those of the results table."""
        return headline(run.metrics)

    def stages(self, run: Run) -> list[StageFacts]:
        """What is known of each stage, in order."""
        made = self._index.of_run(run.commit)
        return [self._stage(run, made[stage]) for stage in run.stages if stage in made]

    def curve(self, facts: StageFacts) -> list[Point] | None:
        """The training curve of a stage; empty where it has none, None where its bytes are nowhere here."""
        if facts.tags["stemma.state"] != "ran":
            return []
        try:
            files = self.store.files(facts.dvc_id)
            if files is None or HISTORY not in files:
                return None if files is None else []
            text = self.store.read(facts.dvc_id, HISTORY)
        except StemmaError:
            return None
        return None if text is None else _points(text.decode())

    def answers(self, run: Run, facts: StageFacts | None = None) -> AnswerExamples | None:
        """The answers that a run shows, or one of its stages; None where it has none, or their bytes are not here."""
        try:
            if facts is None:
                return answers_of(self.store, run)
            return answers_in(self.store, facts.dvc_id) if facts.stage.startswith(EVALUATION) else None
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
        made = self._index.of_run(run.commit)
        entries = [self._shown(run, derivation.entry) for derivation in made.values() if _is_shown(run, derivation)]
        used = [dep for entry in entries for dep in entry["deps"] if is_data(dep["path"])]
        raw = {dep["path"]: dep for dep in used if dep["path"].removeprefix("artifacts/") not in made}
        deps = [raw[path] for path in sorted(raw)]
        return Ends(stage, policy, {"deps": deps, "outs": made[stage].entry["outs"]})

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
        labelled, verdicts = labelling_facts(self.store, stage, dvc_id)
        return StageFacts(
            stage,
            dvc_id,
            self._shown(run, entry),
            _settings(run, entry),
            {**run.metrics.get(stage, {}), **verdicts},
            {**tags, **labelled},
            maker.commit if maker else "",
        )

    def _shown(self, run: Run, entry: LockEntry) -> LockEntry:
        return shown_inputs(self._index, entry, recorded_emptiness(self._index, run))

    def _trace(self, run: Run) -> Trace:
        """What made its policy, which has the name of its registered version, as a page that stays: without aliases."""
        if run.commit not in self._traces:
            told = trace(self._index, self.store, policy_of(self._index, run), self._defaults)
            title = self._names.get(run.commit, told.title)
            self._traces[run.commit] = replace(told, title=title, aliases=())
        return self._traces[run.commit]


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
        "prefect.flow_run_id": run.trailers.get(FLOW_RUN, ""),
    }


def code_tags(flow: str, commit: str) -> dict[str, str]:
    """MLflow's own tags for the code of a run, which its pages show as the run's source."""
    return {
        "mlflow.source.name": f"flows/{flow}.py",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": commit,
    }


def repository_tags(root: Path) -> dict[str, str]:
    """Where the code is to be had. It is no fact of the run: clones have different addresses for the same."""
    git = Git(root)
    remote = git.remote()
    address = git.run("remote", "get-url", remote) if remote else ""
    return {"mlflow.source.git.repoURL": PASSWORD.sub("", address)} if address else {}


def _is_shown(run: Run, derivation: Derivation) -> bool:
    """Whether a stage belongs to the run, and is no ai_label that asked nobody."""
    return derivation.stage in run.stages and not asked_nobody(derivation.stage, run.params)


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
    return really_used({key: run.params[key] for key in sections if key in run.params})


def _points(text: str) -> list[Point]:
    rows = csv.DictReader(io.StringIO(text))
    return [
        (name, int(row["step"]), float(value))
        for row in rows
        for name, value in row.items()
        if name != "step" and value
    ]
