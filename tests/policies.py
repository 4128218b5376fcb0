"""Made-up policies with whole artifacts and evaluations, registered as a flow would register them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stemma.lineage.registry import Registry, Version
from stemma.promotion.evidence import PASSED_THROUGH
from tests.family import FamilyProject, Made

PROMPTS = 40
MODEL = "policy"


@dataclass
class Policies:
    """A project in which policies can be made in no time."""

    project: FamilyProject

    @property
    def path(self) -> Path:
        return self.project.path

    def add(
        self,
        name: str,
        scores: Sequence[float],
        metrics: Mapping[str, float] | None = None,
        prompts: str = "test",
        unmeasured: Sequence[str] = (),
        champion: str = "",
    ) -> Version:
        """A registered policy whose answer to prompt i scores scores[i]; SFT's all score 0.

        With `champion`, the DVC id of a policy, that one was passed through as SFT, as in a round.
        """
        project = self.project
        raw = project.folder({".gitignore": b"/*\n"})
        rows = "".join(json.dumps({"id": f"{prompts}-{i}", "split": "test"}) + "\n" for i in range(PROMPTS)).encode()
        data = project.artifact("data", {"prompts.jsonl": rows})
        vouched = {"data": project.manifest_sha256(data)}
        sft = project.artifact("sft", {"model.safetensors": champion.encode() or b"sft"}, vouched)
        vouched["sft"] = project.manifest_sha256(sft)
        reward = project.artifact("reward", {"model.safetensors": b"reward"}, vouched)
        evaluated = dict(vouched)
        vouched["reward"] = project.manifest_sha256(reward)
        ppo = project.artifact("ppo", {"model.safetensors": name.encode(), "config.json": b"{}"}, vouched)
        answers = {"answers.jsonl": _answers(scores, prompts), "report.json": _report(metrics or {}, unmeasured)}
        evaluation = project.artifact("eval_ppo", answers, {**evaluated, "ppo": project.manifest_sha256(ppo)})
        passed = {PASSED_THROUGH: champion} if champion else {}
        stages = [
            Made("data", data, 1, {"inputs": raw}),
            Made("sft", sft, 3, {"artifacts/data": data, **passed}),
            Made("reward", reward, 4, {"artifacts/data": data, "artifacts/sft": sft}),
            Made("ppo", ppo, 5, {"artifacts/data": data, "artifacts/reward": reward, "artifacts/sft": sft}),
            Made("eval_ppo", evaluation, 7, {"artifacts/data": data, "artifacts/sft": sft, "artifacts/ppo": ppo}),
        ]
        pairs = {"test/accuracy": 0.8, "test/length_accuracy": 0.6}
        commit = project.run(
            name,
            stages,
            policy="ppo",
            metrics={"reward": pairs, "eval_ppo": dict(metrics or {})},
            params={"seed": 0, "registry": {"model": MODEL}},
        )
        return Registry(self.path, MODEL).register(name, commit, "ppo", ppo)


def _answers(scores: Sequence[float], prompts: str) -> bytes:
    rows = [
        {
            "prompt_id": f"{prompts}-{i}",
            "prompt": [{"role": "user", "content": f"question {i} ?"}],
            "mode": "sampled",
            "index": 0,
            "sft": {"text": "a", "finished": True, "score": 0.0},
            "tuned": {"text": "b", "finished": True, "score": score},
        }
        for i, score in enumerate(scores)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _report(metrics: Mapping[str, float], unmeasured: Sequence[str]) -> bytes:
    usual = {
        "objective/kl": 2.0,
        "response/length": 6.0,
        "gold/accuracy": 0.9,
        "gold/hallucination": 0.1,
        "gold/refusal": 0.9,
    }
    sft = {"response/length": 12.0, "gold/accuracy": 0.75, "gold/hallucination": 0.6, "gold/refusal": 0.4}
    rows = [
        {
            "mode": "sampled",
            "policy": policy,
            "metric": metric,
            "estimate": value,
            "low": value,
            "high": value,
            "n": PROMPTS,
        }
        for policy, values in (("tuned", {**usual, **metrics}), ("sft", sft))
        for metric, value in values.items()
        if policy == "sft" or metric not in unmeasured
    ]
    report = {"tuned": "ppo", "judge": "gold", "split": "test", "prompts": PROMPTS, "samples": 1, "rows": rows}
    return json.dumps(report).encode()
