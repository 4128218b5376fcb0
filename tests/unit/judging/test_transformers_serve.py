"""The endpoint judge against a real server, with the same weights as a local judge."""

from pathlib import Path

import pytest
import torch

from stemma.judging.ai_settings import EndpointConfig, LocalConfig
from stemma.judging.case import Case
from stemma.judging.prompt import comparison_prompt
from stemma.judging.revise import revise
from stemma.judging.seating import seat
from stemma.judging.weights import weights_sha256
from stemma.judging.writers import writer_for
from stemma.models.chat import encode_answers, encode_prompts
from stemma.models.policy import save_policy
from stemma.records.types import Response
from tests.served import transformers_serve
from tests.tiny import MACHINE, tiny_model, tiny_tokenizer
from tests.unit.judging.bench import PLAIN, bench, case

CASES = [case(0, "yes", "no"), case(1, "no", "yes"), case(2, "yes", "no no"), case(3, "no", "yes yes")]
STEPS = 60


def prefers_yes(folder: Path) -> Path:
    """A model taught to name the answer that says yes; the third case's second order it is taught wrong."""
    tokenizer = tiny_tokenizer()
    model = tiny_model(tokenizer, context=128)
    prompts, said = [], []
    for row in CASES:
        for first, second in ((row.first, row.second), (row.second, row.first)):
            prompts.append(comparison_prompt(PLAIN, row.prompt.messages, first.text, second.text, reasoning=False))
            said.append("1" if "yes" in first.text else "2")
    said[5] = "1"
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    rows = list(zip(encode_prompts(tokenizer, prompts), encode_answers(tokenizer, said), strict=True))
    for _ in range(STEPS):
        losses = []
        for before, after in rows:
            labels = torch.tensor([[-100] * len(before) + after])
            losses.append(model(input_ids=torch.tensor([before + after]), labels=labels).loss)
        torch.autograd.backward(torch.stack(losses).mean())
        optimizer.step()
        optimizer.zero_grad()
    folder.mkdir()
    save_policy(model, tokenizer, folder)
    return folder


def chances(judged: list[object]) -> list[float]:
    return [getattr(opinion, "probability", -1.0) for opinion in judged]


def test_a_served_model_judges_as_the_same_weights_do_here(tmp_path: Path) -> None:
    pytest.importorskip("openai", reason="`transformers serve` needs it (requirements-dev.txt)")
    folder = prefers_yes(tmp_path / "judge")
    cases: list[Case] = [*CASES]
    with transformers_serve(folder) as url, bench(tmp_path / "cache") as shared:
        served = EndpointConfig(kind="endpoint", name="served", base_url=url, model=str(folder), max_tokens=4)
        here = LocalConfig(kind="local", name="here", model=str(folder), weights_sha256=weights_sha256(folder))
        judge = seat(served, MACHINE, shared)
        opinions = judge.opinions(cases)
        assert judge.broken == {}
        assert chances(list(opinions)) == [1.0, 0.0, 0.5, 0.0]
        locally = seat(here, MACHINE, shared).opinions(cases)
        orders = [
            [round(asked["probability"]) for asked in opinion.origin["orders"]]  # type: ignore[union-attr,index,call-overload,arg-type]
            for found in (opinions, locally)
            for opinion in found
            if opinion
        ]
        assert orders[: len(cases)] == orders[len(cases) :]
        assert str(tmp_path) not in str([opinion and opinion.origin for opinion in opinions])
        answers = [(row.prompt, Response(prompt_id=row.prompt.id, index=0, text="no", finished=True)) for row in cases]
        told = [
            revise(PLAIN, writer_for(config, MACHINE, 0, 6), answers, shared.cache, shared.progress)
            for config in (served, here)
        ]
    assert [row.revision for row in told[0].revisions] == [row.revision for row in told[1].revisions]
    assert told[0].lost == told[1].lost
    assert len(told[0].revisions) + told[0].lost.total() == len(cases)
