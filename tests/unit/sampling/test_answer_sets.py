from stemma.evaluation.report import Mode
from stemma.models.policy import for_use
from stemma.sampling.answer_sets import AnswerSet, draw_answers
from tests.tiny import tiny_model, tiny_prompts, tiny_tokenizer

TOKENIZER = tiny_tokenizer()


def drawn(seed: int) -> dict[Mode, AnswerSet]:
    policy = for_use(tiny_model(TOKENIZER))
    return draw_answers(policy, TOKENIZER, tiny_prompts("test"), samples=3, max_new_tokens=5, batch_size=8, seed=seed)


def test_every_prompt_is_sampled_as_often_as_told_and_answered_greedily_once() -> None:
    answers = drawn(0)
    assert {mode: {len(of_prompt) for of_prompt in rows} for mode, rows in answers.items()} == {
        "sampled": {3},
        "greedy": {1},
    }
    assert {len(rows) for rows in answers.values()} == {len(tiny_prompts("test"))}


def test_the_seed_draws_the_samples_and_no_greedy_answer() -> None:
    first, other = drawn(0), drawn(1)
    assert first["greedy"] == other["greedy"]
    assert first["sampled"] != other["sampled"]
    assert any(len(set(of_prompt)) == 3 for of_prompt in first["sampled"])
