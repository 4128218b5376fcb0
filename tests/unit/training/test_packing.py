from itertools import islice

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from stemma.training.encoding import NO_LOSS
from stemma.training.packing import Batch, batches
from tests.tiny import tiny_model, tiny_tokenizer

DOCUMENTS = st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=9), min_size=1, max_size=12)


def take(documents: list[list[int]], context: int, rows: int, seed: int = 0) -> Batch:
    return next(batches(documents, context, rows, pad=0, seed=seed))


def test_two_documents_share_a_row_and_their_first_tokens_are_not_learned() -> None:
    batch = take([[5, 6, 7]] * 2, context=8, rows=1)
    assert batch.input_ids.tolist() == [[5, 6, 7, 5, 6, 7, 0, 0]]
    assert batch.position_ids.tolist() == [[0, 1, 2, 0, 1, 2, 0, 0]]
    assert batch.labels.tolist() == [[NO_LOSS, 6, 7, NO_LOSS, 6, 7, NO_LOSS, NO_LOSS]]


def test_a_document_longer_than_the_context_is_continued_in_another_row() -> None:
    rows = take([[1, 2, 3, 4, 5]], context=3, rows=2).input_ids.tolist()
    assert sorted(rows) == [[1, 2, 3], [4, 5, 0]]


@given(documents=DOCUMENTS, seed=st.integers(0, 2**40))
def test_an_epoch_holds_every_document_once_and_whole(documents: list[list[int]], seed: int) -> None:
    seen: list[tuple[int, ...]] = []
    for batch in batches(documents, context=9, batch_size=1, pad=0, seed=seed):
        row, starts = batch.input_ids[0].tolist(), batch.position_ids[0].tolist()
        pieces: list[list[int]] = []
        for token, position in zip(row, starts, strict=True):
            if token == 0:
                break
            if position == 0:
                pieces.append([])
            pieces[-1].append(token)
        seen += map(tuple, pieces)
        if len(seen) >= len(documents):
            break
    assert sorted(seen) == sorted(map(tuple, documents))


def test_epochs_differ_in_order_and_the_seed_alone_decides_it() -> None:
    documents = [[i] * 4 for i in range(1, 30)]
    stream = list(islice(batches(documents, 4, 29, pad=0, seed=3), 2))
    again = list(islice(batches(documents, 4, 29, pad=0, seed=3), 2))
    assert stream[0].input_ids.tolist() != stream[1].input_ids.tolist()
    assert sorted(stream[0].input_ids.tolist()) == sorted(stream[1].input_ids.tolist())
    assert [batch.input_ids.tolist() for batch in stream] == [batch.input_ids.tolist() for batch in again]
    assert take(documents, 4, 29, seed=4).input_ids.tolist() != stream[0].input_ids.tolist()


def test_a_packed_document_is_read_as_if_it_stood_alone() -> None:
    model = tiny_model(tiny_tokenizer())
    documents = [[5, 6, 7, 8], [9, 10, 11], [12, 13]]
    batch = take(documents, context=12, rows=1)
    packed = model(input_ids=batch.input_ids, position_ids=batch.position_ids, use_cache=False).logits[0]
    start = 0
    while start < 9:
        length = next(len(d) for d in documents if d == batch.input_ids[0, start : start + len(d)].tolist())
        alone = model(batch.input_ids[:, start : start + length]).logits[0]
        assert_close(packed[start : start + length], alone, rtol=0, atol=1e-5)
        start += length
    assert torch.count_nonzero(batch.labels != NO_LOSS) == 9 - len(documents)
