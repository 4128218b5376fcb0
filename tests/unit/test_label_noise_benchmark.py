import json
from pathlib import Path

import pytest

from benchmarks.label_noise import CREWS, METHODS, Cell, Numbers, draw, gold_comparisons, table, together
from stemma.config import parse_overrides, parse_settings
from stemma.labelling.annotators import flip_chance
from stemma.records.json_file import write_json
from stemma.records.jsonl import write_rows
from stemma.records.types import Message, Prompt, Response
from tasks.label import LabelConfig

CELLS = [Cell("n", 0, crew, method, noise) for crew in CREWS for method in METHODS for noise in (0, 20, 40)]


def numbers_of(cell: Cell) -> Numbers:
    """Something like what comes out."""
    quality = 0.9 - cell.noise / 200 + 0.02 * list(METHODS).index(cell.method)
    interval = [quality, quality - 0.03, quality + 0.02]
    return {"labels_wrong": cell.noise / 100, "reward": interval, "win": interval}


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.run)
def test_every_cell_is_a_setting_of_the_label_stage(cell: Cell) -> None:
    values = parse_overrides(f"label.{name}={json.dumps(value)}" for name, value in cell.settings().items())
    config = parse_settings(LabelConfig, values["label"], cell.run)
    assert config.verdicts_per_pair == (1 if cell.method == "one" else 5)
    assert config.soft == (cell.method == "soft")
    chances = [flip_chance(one, "a", "b", "first") for one in config.annotators]
    assert chances[:4] == [cell.noise / 100] * 4
    if cell.crew == "spammer":
        assert chances[4] == 0
        assert flip_chance(config.annotators[4], "a", "b", "second") == 1


def test_two_seeds_are_surer_than_one() -> None:
    assert together([(0.8, 0.7, 0.85)]) == pytest.approx((0.8, 0.7, 0.85))
    assert together([(0.8, 0.7, 0.9), (0.6, 0.5, 0.7)]) == pytest.approx((0.7, 0.7 - 0.1 / 2**0.5, 0.7 + 0.1 / 2**0.5))


def test_table_and_picture(tmp_path: Path) -> None:
    numbers = {cell: numbers_of(cell) for cell in CELLS}
    lines = table(numbers)
    assert len(lines) == 2 + len(CELLS)
    assert (
        lines[3]
        == "| five annotators alike | 20 % | one verdict a pair | 20.0% | "
        + " | ".join(["0.800 [0.770, 0.820]"] * 2)
        + " |"
    )
    draw(numbers, tmp_path / "images" / "noise.png")
    assert (tmp_path / "images" / "noise.png").read_bytes().startswith(b"\x89PNG")


def test_the_gold_pairs_are_those_that_the_stage_labels(tmp_path: Path) -> None:
    prompt = Prompt(id="p", messages=(Message(role="user", content="q"),), split="test", kind="unknown")
    texts = ("i do not know .", "the answer is red .", "i do not know . yes .", "the answer is red . yes .")
    (tmp_path / "data").mkdir()
    (tmp_path / "sample").mkdir()
    write_rows(tmp_path / "data" / "prompts.jsonl", [prompt])
    answers = [Response(prompt_id="p", index=i, text=text, finished=True) for i, text in enumerate(texts)]
    write_rows(tmp_path / "sample" / "responses.jsonl", answers)
    six = gold_comparisons(tmp_path, seed=0)
    write_json(tmp_path / "sample" / "pairs.json", {"pairs": 2})
    two = gold_comparisons(tmp_path, seed=0)
    assert (len(six), len(two)) == (6, 2)
