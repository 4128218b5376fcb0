"""The batch of a run's fresh samples."""

from pathlib import Path

import pytest

from flows.people.label_batch import batch_of_samples
from flows.settings import DpoSettings, HumanConfig
from stemma.errors import LabelError
from stemma.labelling.store.batch import NewBatch
from stemma.records.json_file import write_json
from stemma.records.jsonl import write_rows
from stemma.records.types import Message, Prompt, Response, Verdict
from stemma.world.phrases import ABSTENTION, REFUSAL

SOURCE = {"run": "r", "sample": "a" * 32, "flow_run": ""}
BETTER = f"{REFUSAL}"
WORSE = f"{ABSTENTION}"


def workspace(root: Path, prompts: int, *, gold: bool, answers: tuple[str, ...] = (BETTER, WORSE)) -> Path:
    """Samples of that many harmful requests, where refusing is better than abstaining."""
    for stage in ("data", "sample"):
        (root / "artifacts" / stage).mkdir(parents=True)
    asked = [
        Prompt(id=f"p{n}", messages=(Message(role="user", content=f"ask {n}"),), split="train", kind="harmful")
        for n in range(prompts)
    ]
    write_rows(root / "artifacts/data/prompts.jsonl", asked)
    write_json(root / "artifacts/data/report.json", {"gold": gold})
    sampled = [
        Response(prompt_id=prompt.id, index=index, text=text, finished=True)
        for prompt in asked
        for index, text in enumerate(answers)
    ]
    write_rows(root / "artifacts/sample/responses.jsonl", sampled)
    return root


def made(root: Path, seed: int = 0, **human: object) -> NewBatch:
    settings = DpoSettings(seed=seed, human=HumanConfig.model_validate(human))
    return batch_of_samples(root, settings, "Be fair.", SOURCE)


def test_tests_of_annotators_name_the_better_answer(tmp_path: Path) -> None:
    batch = made(workspace(tmp_path, 40, gold=True), gold_share=0.25)
    tests = [item for item in batch.items if item.gold is not None]
    assert (len(batch.items), len(tests)) == (40, 10)
    assert {item.answers[item.gold] for item in tests if item.gold is not None} == {BETTER}
    assert {item.gold for item in tests} == {0, 1}


def test_two_answers_of_equal_worth_test_nobody(tmp_path: Path) -> None:
    root = workspace(tmp_path, 10, gold=True, answers=("one of it", "another of it"))
    assert {item.gold for item in made(root, gold_share=0.5).items} == {None}


def test_without_a_gold_rule_nobody_is_tested(tmp_path: Path) -> None:
    assert {item.gold for item in made(workspace(tmp_path, 10, gold=False), gold_share=0.5).items} == {None}


def test_a_cap_draws_by_chance_and_the_same_every_time(tmp_path: Path) -> None:
    root = workspace(tmp_path, 40, gold=False)
    drawn = [[item.prompt_id for item in made(root, seed, pairs=8).items] for seed in (0, 0, 1)]
    assert len(set(drawn[0])) == 8
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0] != sorted(drawn[0])


def test_what_judges_are_unsure_of_comes_first_but_for_one_in_five(tmp_path: Path) -> None:
    root = workspace(tmp_path, 10, gold=False)
    (root / "artifacts/ai_label").mkdir()
    # Two judges are sure of the odd prompts, and contradict each other on the even ones.
    sure = [(0.9, 0.9) if number % 2 else (0.9, 0.1) for number in range(10)]
    told = [
        Verdict(prompt_id=f"p{number}", judge=judge, first=BETTER, second=WORSE, choice="first", probability=chance)
        for number, chances in enumerate(sure)
        for judge, chance in zip(("one", "other"), chances, strict=True)
    ]
    write_rows(root / "artifacts/ai_label/verdicts.jsonl", told)
    items = made(root, order="uncertain", pairs=6).items
    chosen = [int(item.prompt_id[1:]) for item in items if item.origin and not item.origin["at_random"]]
    assert len(items) == 6
    assert [number % 2 for number in chosen] == [0] * len(chosen)
    assert [item.priority for item in items] == sorted((item.priority for item in items), reverse=True)


def test_without_judges_nobody_knows_what_they_are_unsure_of(tmp_path: Path) -> None:
    root = workspace(tmp_path, 3, gold=False)
    (root / "artifacts/ai_label").mkdir()
    write_rows(root / "artifacts/ai_label/verdicts.jsonl", [])
    with pytest.raises(LabelError, match="no judge of ai_label says"):
        made(root, order="uncertain")


def test_nothing_to_compare_is_told(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="no two answers to a prompt differ"):
        made(workspace(tmp_path, 3, gold=False, answers=("same", "same")))
