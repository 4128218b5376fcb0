from hypothesis import given
from hypothesis import strategies as st

from stemma.records.example import preferred
from stemma.records.forms.transcripts import is_transcript, transcript_messages
from stemma.records.recognition import read_example
from stemma.records.types import Message

SAYINGS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1, max_size=30).filter(
    lambda said: said == said.strip() and said != "" and "\n\nHuman:" not in said and "\n\nAssistant:" not in said
)
EXCHANGES = st.lists(st.tuples(SAYINGS, SAYINGS), max_size=3)


def written(sayings: list[str]) -> str:
    return "".join(f"\n\n{('Human', 'Assistant')[turn % 2]}: {said}" for turn, said in enumerate(sayings))


@given(EXCHANGES, SAYINGS, st.lists(SAYINGS, min_size=2, max_size=2, unique=True))
def test_a_written_pair_is_read_back(earlier: list[tuple[str, str]], question: str, answers: list[str]) -> None:
    prompt = [said for exchange in earlier for said in exchange] + [question]
    chosen, rejected = (written([*prompt, answer]) for answer in answers)
    messages = tuple(
        Message.model_validate({"role": ("user", "assistant")[turn % 2], "content": said})
        for turn, said in enumerate(prompt)
    )
    expected = preferred("hh-rlhf", messages, answers[0], answers[1])
    assert read_example({"chosen": chosen, "rejected": rejected}) == expected


def test_an_answer_may_quote_the_marks_within_a_line() -> None:
    quoting = "write it as\nHuman: hi\nAssistant: hello"
    assert transcript_messages(f"\n\nHuman: how?\n\nAssistant: {quoting}", "chosen")[1].content == quoting


def test_windows_line_ends_and_missing_space_are_taken() -> None:
    sayings = [message.content for message in transcript_messages("Human:hi\r\n\r\nAssistant:\r\nhello\r\n", "chosen")]
    assert sayings == ["hi", "hello"]


def test_a_text_about_humans_is_no_transcript() -> None:
    assert not is_transcript("Humans: a history")
    assert not is_transcript("The Human: a history")
