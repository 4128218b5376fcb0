from stemma.evaluation.chosen_examples import choose_examples
from stemma.evaluation.report import Mode
from stemma.evaluation.side_by_side import JudgedAnswer, SideBySide
from stemma.records.answer_examples import AnswerExamples, markdown, read_answers, table, terminal_lines
from stemma.records.types import Message


def row(
    prompt_id: str, kind: str | None, gain: float, mode: Mode = "greedy", text: str = "i do not know", index: int = 0
) -> SideBySide:
    return SideBySide(
        prompt_id=prompt_id,
        kind=kind,
        prompt=(Message(role="user", content=f"what is {prompt_id} ?"),),
        mode=mode,
        index=index,
        sft=JudgedAnswer(text="hunter", finished=True, score=0.25, outcome="wrong"),
        tuned=JudgedAnswer(text=text, finished=gain >= 0, score=0.25 + gain),
    )


def chosen(rows: list[SideBySide]) -> list[tuple[str, str]]:
    return [(example.prompt_id, example.reason) for example in choose_examples(rows, "ppo").examples]


WORLD = [
    row("p-5", "unknown", -0.5),
    row("p-4", "unknown", 1.0),
    row("p-3", "known", 0.5),
    row("p-2", "known", -2.0),
    row("p-1", "known", -1.0),
    row("p-6", "harmful", -0.25),
    row("p-7", "known", -0.5),
    row("p-8", "known", -0.25),
    row("p-0", "known", -3.0, mode="sampled"),
]


def test_the_first_of_each_kind_is_shown_and_then_those_that_fell_most() -> None:
    assert chosen(WORLD) == [
        ("p-6", "first by id"),
        ("p-1", "first by id"),
        ("p-4", "first by id"),
        ("p-2", "score fell by 2.00"),
        ("p-5", "score fell by 0.50"),
        ("p-7", "score fell by 0.50"),
    ]


def test_where_none_fell_the_lowest_scores_are_shown() -> None:
    rows = [row("p-0", None, 1.0), row("p-1", None, 1.0), row("p-2", None, 1.0), row("p-3", None, 3.0)]
    rows += [row("p-4", None, 0.0), row("p-5", None, 2.0), row("p-6", None, -0.5)]
    assert chosen(rows)[3:] == [("p-6", "score fell by 0.50"), ("p-4", "lowest score"), ("p-5", "lowest score")]


def test_the_order_of_the_table_does_not_matter() -> None:
    assert choose_examples(WORLD[::-1], "ppo") == choose_examples(WORLD, "ppo")


def test_prompts_without_kinds_give_three() -> None:
    rows = [row(f"p-{number}", None, 0.5) for number in range(5)]
    assert chosen(rows)[:3] == [(f"p-{number}", "first by id") for number in range(3)]


def test_the_rule_says_how_many_fell() -> None:
    assert choose_examples(WORLD, "ppo").rule.endswith("against SFT, or that score lowest (6 of 8 fell)")
    assert "first 2 by id of each kind" in choose_examples([row("a", "x", 0), row("b", "y", 0)], "ppo").rule


def test_what_is_written_is_read_again() -> None:
    examples = choose_examples(WORLD, "dpo")
    assert read_answers(examples.model_dump_json()) == examples
    assert read_answers(None) is None


def test_people_read_question_and_both_answers() -> None:
    lines = terminal_lines(choose_examples(WORLD, "dpo"))
    place = lines.index("what is p-4 ?  (unknown; first by id)")
    assert lines[place + 1 : place + 3] == ["  SFT  hunter  [wrong, +0.25]", "  DPO  i do not know  [+1.25]"]
    assert "  DPO  i do not know (cut at the length limit)  [-0.25]" in lines


def test_no_answer_breaks_the_table() -> None:
    examples = choose_examples([row("a", None, 1.0, text="one | two\n# <b>three</b>")], "ppo")
    lines = markdown(examples).splitlines()
    assert lines[-1] == (
        r"| what is a ? | hunter  \[wrong, +0.25\] | one \| two \# \<b\>three\</b\>  \[+1.25\] | first by id |"
    )
    assert len([line for line in lines if line.startswith("|")]) == 3


def test_a_table_has_a_cell_for_every_column() -> None:
    content = table(choose_examples(WORLD, "ppo"))
    columns, data = content["columns"], content["data"]
    assert isinstance(columns, list)
    assert isinstance(data, list)
    assert {len(cells) for cells in data if isinstance(cells, list)} == {len(columns)}
    assert len(data) == 6


def test_without_greedy_answers_nothing_is_shown() -> None:
    assert choose_examples([], "ppo") == AnswerExamples(rule=choose_examples([], "ppo").rule, tuned="ppo", examples=())
