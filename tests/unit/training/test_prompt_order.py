from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from stemma.training.prompt_order import batch_of_prompts


@settings(max_examples=30, deadline=None)
@given(count=st.integers(1, 20), batch_size=st.integers(1, 30), updates=st.integers(1, 8), seed=st.integers(0, 99))
def test_no_prompt_is_used_twice_more_than_another(count: int, batch_size: int, updates: int, seed: int) -> None:
    used = Counter(i for update in range(1, updates + 1) for i in batch_of_prompts(count, batch_size, update, seed))
    assert used.total() == batch_size * updates
    assert set(used) <= set(range(count))
    assert max(used.values()) - min(used[i] for i in range(count)) <= 1


def test_the_seed_and_the_pass_decide_the_order() -> None:
    first, second = batch_of_prompts(50, 50, 1, seed=0), batch_of_prompts(50, 50, 2, seed=0)
    assert first == batch_of_prompts(50, 50, 1, seed=0)
    assert first != second
    assert first != batch_of_prompts(50, 50, 1, seed=1)
