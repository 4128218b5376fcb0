"""A project whose made-up runs were shown in MLflow as flows show theirs: two runs of a policy, both registered."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from flows.settings import ProjectSettings, stage_values
from stemma.config import Values
from stemma.lineage.explain import NEVER_RUN, explain
from stemma.lineage.forgotten import Tombstones
from stemma.lineage.registry import Registry
from stemma.lineage.runs import find_run, list_runs, maker_of
from stemma.view.live_run import MlflowView
from stemma.view.reconcile import follow
from tests.answers import ANSWERS
from tests.family import FamilyProject, Made

DEFAULTS: Values = stage_values(ProjectSettings())
CURVE = {"objective/kl": [0.5, 1.25, 2.0], "learning_rate": [0.001, 0.0005, 0.0]}
RATES = {"gold/win_rate": 0.75, "gold/win_rate_low": 0.7, "gold/win_rate_high": 0.8}


def shown_project(path: Path) -> FamilyProject:
    """`calm` made data, labels and a policy; `wild` another policy from the same data, which is the champion."""
    project = FamilyProject(path)
    for name, kl_coef in (("calm", 0.1), ("wild", 0.2)):
        assert not add_run(project, name, kl_coef)
    registry = Registry(path, "policy")
    registry.move(registry.head(), "promote", {"act": "promote", "moves": {"champion": 1}, "reason": "the first"})
    moves = {"champion": 2, "previous": 1}
    registry.move(registry.head(), "promote", {"act": "promote", "moves": moves, "reason": "kinder"})
    assert follow(path, "policy", DEFAULTS) is None
    return project


def add_run(project: FamilyProject, name: str, kl_coef: float, ran: Sequence[str] = ()) -> list[str]:
    """A run: recorded, registered, and shown; returns what the view had to say.

    `ran` are the stages that it ran itself; by default those whose artifact no run on record made.
    """
    stages = _stages(project, name, kl_coef)
    ran = ran or [made.stage for made in stages if maker_of(list_runs(project.path), made.stage, made.artifact) is None]
    said: list[str] = []
    view = MlflowView(project.path, said.append)
    head = project.git.run("rev-parse", "HEAD")
    tags = {
        "mlflow.source.git.commit": head, "stemma.flow": "rlhf", "stemma.run": name, "stemma.dirty": "false",
        "prefect.flow_run_id": "",
    }  # fmt: skip
    view.begin(name, tags)
    for made in stages:
        _show_stage(project, view, made, made.stage in ran, kl_coef)
    commit = project.run(
        name, stages, ran, "ppo", {"eval_ppo": RATES}, {"seed": 0, "ppo": {"kl_coef": kl_coef}, "label": {"overlap": 2}}
    )
    view.tag_all({**tags, "stemma.experiment": name, "stemma.experiment_commit": commit})
    version = Registry(project.path, "policy").register(name, commit, "ppo", stages[2].artifact)
    view.register("policy", version, DEFAULTS)
    view.tag_all({"stemma.model_version": f"policy/{version.number}"})
    view.end("FINISHED")
    return said


def taint_labels(path: Path) -> None:
    """Taint the labels, and so all that was made from them."""
    labels = find_run(path, "calm").lock["label"]["outs"][0]["md5"]
    Tombstones(path).add("forget", {"act": "forget"}, {labels: "ada's labels were forgotten"}, {})


def _stages(project: FamilyProject, name: str, kl_coef: float) -> list[Made]:
    raw = project.put(b"[]", ".dir")
    verdicts = "".join(json.dumps({"annotator": who}) + "\n" for who in ("ada", "ben", "ada"))
    data = project.artifact("data", {"rows.jsonl": b"{}\n"})
    label = project.artifact("label", {"verdicts.jsonl": verdicts.encode()})
    rows = [f"{step},{','.join(map(str, row))}" for step, row in enumerate(zip(*CURVE.values(), strict=True), start=1)]
    history = "\n".join([f"step,{','.join(CURVE)}", *rows, ""])
    ppo = project.artifact("ppo", {"model.safetensors": name.encode(), "history.csv": history.encode()})
    answers = ANSWERS.model_dump_json().encode()
    evaluated = project.artifact("eval_ppo", {"report.json": f'"{name}"'.encode(), "answers.json": answers})
    code = {"tasks/ppo.py": "c" * 32}
    return [
        Made("data", data, 3, {"inputs": raw}, params={"seed": 0}),
        Made("label", label, 4, {"artifacts/data": data}, params={"seed": 0, "label": {"overlap": 2}}),
        Made(
            "ppo",
            ppo,
            5,
            {"artifacts/data": data, "artifacts/label": label},
            code,
            {"seed": 0, "ppo": {"kl_coef": kl_coef}},
        ),
        Made("eval_ppo", evaluated, 6, {"artifacts/ppo": ppo, "artifacts/data": data}, params={"seed": 0}),
    ]


def _show_stage(project: FamilyProject, view: MlflowView, made: Made, ran: bool, kl_coef: float) -> None:
    settings: Mapping[str, Mapping[str, object]] = {"label": {"overlap": 2}, "ppo": {"kl_coef": kl_coef}}
    view.begin_stage(made.stage, {"seed": 0, **{key: settings[key] for key in settings if key == made.stage}})
    earlier, entry = list_runs(project.path), dict(made.entry())
    if ran:
        if made.stage == "ppo":
            steps = enumerate(zip(*CURVE.values(), strict=True), start=1)
            view.log_steps("ppo", [{"step": n, "metrics": dict(zip(CURVE, row, strict=True))} for n, row in steps])
        before = next((run for run in earlier if made.stage in run.lock), None)
        reason = explain(made.stage, entry, before.lock[made.stage], before.name) if before else NEVER_RUN
        tags = {"stemma.state": "ran", "stemma.reason": reason}
    else:
        maker = maker_of(earlier, made.stage, made.artifact)
        tags = {"stemma.state": "cached", "stemma.made_by": maker.name if maker else ""}
    view.end_stage(made.stage, entry, RATES if made.stage == "eval_ppo" else {}, tags)
