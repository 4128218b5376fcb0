from typing import Any

import pytest
import torch

from stemma.records.types import Comparison
from stemma.training.soft_labels import soft_columns, split_off, with_soft_columns
from tests.tiny import tiny_comparisons

PLAIN = tiny_comparisons()[:2]


def changed(row: Comparison, **fields: Any) -> Comparison:
    return row.model_copy(update=fields)


def test_plain_rows_have_no_columns() -> None:
    assert soft_columns(PLAIN, 0.0) == {}
    assert soft_columns([changed(PLAIN[0], probability=1.0), PLAIN[1]], 0.0) == {}


def test_one_row_that_is_not_plain_gives_all_of_them_columns() -> None:
    rows = [changed(PLAIN[0], probability=0.7), changed(PLAIN[1], weight=0.5)]
    assert soft_columns(rows, 0.0) == {"target": [0.7, 1.0], "weight": [1.0, 0.5]}


def test_smoothing_is_for_rows_without_a_chance_of_their_own() -> None:
    rows = [changed(PLAIN[0], probability=0.7), PLAIN[1]]
    assert soft_columns(rows, 0.1) == {"target": [0.7, pytest.approx(0.9)], "weight": [1.0, 1.0]}


def test_columns_travel_beside_what_the_trainer_collates() -> None:
    collate = with_soft_columns(lambda rows: {"ids": torch.tensor([row["id"] for row in rows])})
    batch = collate([{"id": 1, "target": 0.7, "weight": 2.0}, {"id": 2, "target": 1.0, "weight": 1.0}])
    rest, targets, weights = split_off(batch)
    assert rest.keys() == {"ids"}
    assert targets.tolist() == pytest.approx([0.7, 1.0])
    assert weights.tolist() == [2.0, 1.0]
    assert collate([{"id": 1}]).keys() == {"ids"}
