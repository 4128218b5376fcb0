"""An auditor's eight questions, answered in MLflow alone, for a run with people's labels and a LoRA run."""

import json
from collections.abc import Iterator

import pytest

from stemma.lineage.registry import Registry
from stemma.view.reconcile import follow, reconcile
from tests.auditor import MOST_CLICKS, Auditor, auditor_of
from tests.family import FamilyProject, Made
from tests.lineage.shown import DEFAULTS, RATES

HUB = "small/model"
COMMIT = "c0ffee" * 6 + "beef"
GATES = [{"name": "win rate", "passed": True, "words": "0.618 against the champion, asked: all above 0.5"}]
SETTINGS = {
    "seed": 0,
    "base": {"source": "hub", "model": HUB, "revision": COMMIT},
    "sft": {"tuning": "lora"},
    "label": {"source": "human", "annotators": [{"name": "simulated-1"}]},
    "ai_label": {"judges": []},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> FamilyProject:
    """`people` learned from people's labels; `lora` is LoRA on a model from the Hub, and was champion for a while."""
    project = FamilyProject(tmp_path_factory.mktemp("audit") / "project")
    registry = Registry(project.path, "policy")
    for name, changes in (("people", {}), ("lora", {"ppo": {"tuning": "lora"}})):
        stages = _stages(project, name, {**SETTINGS, **changes})
        commit = project.run(name, stages, None, "ppo", {"eval_ppo": RATES}, {**SETTINGS, **changes})
        registry.register(name, commit, "ppo", stages[-2].artifact)
    for act, moves, reason in (
        ("promote", {"champion": 1}, "the first that people taught"),
        ("promote", {"champion": 2, "previous": 1}, "kinder by every gate"),
        ("rollback", {"champion": 1, "previous": 2}, "it forgot the capital of France"),
    ):
        registry.move(registry.head(), act, {"act": act, "moves": moves, "reason": reason, "gates": GATES})
    reconcile(project.path, DEFAULTS)
    assert follow(project.path, "policy", DEFAULTS) is None
    return project


def _stages(project: FamilyProject, name: str, params: dict[str, object]) -> list[Made]:
    verdicts = "".join(json.dumps({"annotator": who}) + "\n" for who in ("ada", "ben", "ada"))
    base = project.artifact("base", {"model.safetensors": b"base"})
    label = project.artifact("label", {"verdicts.jsonl": verdicts.encode()})
    ppo = project.artifact("ppo", {"model.safetensors": name.encode()})
    evaluated = project.artifact("eval_ppo", {"report.json": f'"{name}"'.encode()})
    return [
        Made("base", base, 3, {}, params={key: params[key] for key in ("seed", "base")}),
        Made("label", label, 4, {"inputs/labels": project.put(b"[]", ".dir")}, params={"label": params["label"]}),
        Made("ppo", ppo, 5, {"artifacts/base": base, "artifacts/label": label}, params={"ppo": params.get("ppo", {})}),
        Made("eval_ppo", evaluated, 6, {"artifacts/ppo": ppo}),
    ]


@pytest.fixture(scope="module")
def auditor(project: FamilyProject) -> Iterator[Auditor]:
    with auditor_of(project.path, project.path / "mlflow.db") as auditor:
        yield auditor


def test_the_page_of_the_model_answers_all_eight_questions_of_its_champion(
    auditor: Auditor, project: FamilyProject
) -> None:
    auditor.open_model("policy")
    auditor.reads("Champion: policy/1", "Reason: it forgot the capital of France", "policy/2 was champion before.")
    auditor.reads(
        "rollback policy/2 → policy/1 (champion)", "Reason: kinder by every gate", "gate win rate passed: 0.618"
    )
    auditor.reads("ada: policy/2 (previous), policy/1 (champion)", "ben: policy/2 (previous), policy/1 (champion)")
    auditor.reads("Data: ", "inputs/labels (", "Labelled by: ada (2), ben (1).")
    auditor.reads(f"Base model: {HUB}@{COMMIT}.", f"Code commit: {project.git.run('rev-parse', 'HEAD')}")
    auditor.reads("Settings off their default: ", "label.source = human (default simulated)")
    auditor.reads("win rate against SFT, gold rule 0.75 [0.7, 0.8]")
    assert auditor.clicks <= MOST_CLICKS
    auditor.picture("mlflow-model")


@pytest.mark.parametrize(("run", "version"), [("people", 1), ("lora", 2)])
def test_a_run_tells_all_of_it(auditor: Auditor, project: FamilyProject, run: str, version: int) -> None:
    auditor.open_run("stemma", run)
    auditor.reads(f"Registered as policy/{version}.", "Labelled by: ada (2), ben (1).", f"Base model: {HUB}@{COMMIT}.")
    auditor.reads(project.git.run("rev-parse", "HEAD"), "sft.tuning = lora (default full)", "0.75 [0.7, 0.8]")
    assert auditor.clicks <= MOST_CLICKS
    auditor.picture("mlflow-run")
