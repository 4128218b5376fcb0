"""OpenAI-style preferences.

- `{"messages": […], "chosen": …, "rejected": …}`; each answer is a message, a list of one message, or a text.
- OpenAI's preference fine-tuning: `{"input": {"messages": […]}, "preferred_output": […], "non_preferred_output": […]}`.
"""

from collections.abc import Iterator
from typing import Any

from stemma.records.conversation import answer_of, assistant, message_list, prompt_of
from stemma.records.example import Example, preferred
from stemma.records.fields import kept, list_of, object_of, part_of
from stemma.records.forms.form import Form, Row
from stemma.records.forms.pairs import check_differ, margin_of, preferences


def read_messages_pair(row: Row) -> Example:
    """Read messages with two answers. Raises RowFault where a part is misshapen or the answers are the same."""
    prompt = prompt_of(list_of(row["messages"], "messages"), "messages")
    chosen, rejected = (
        answer_of([row[field]] if isinstance(row[field], dict) else row[field], field)
        for field in ("chosen", "rejected")
    )
    check_differ(chosen, rejected)
    return preferred("messages+chosen+rejected", prompt, chosen, rejected, margin_of(row))


def write_messages_pair(example: Example) -> Iterator[dict[str, Any]]:
    """Write a row for each preference."""
    for chosen, rejected, margin in preferences(example):
        answers = {"chosen": message_list((assistant(chosen),))[0], "rejected": message_list((assistant(rejected),))[0]}
        yield {"messages": message_list(example.prompt or ()), **answers, **margin}


def read_openai_preference(row: Row) -> Example:
    """Read a preference of OpenAI's fine-tuning. Raises RowFault where a part is misshapen."""
    asked = object_of(row["input"], "input")
    prompt = prompt_of(list_of(part_of(asked, "messages", "input"), "input.messages"), "input.messages")
    chosen = answer_of(list_of(row["preferred_output"], "preferred_output"), "preferred_output")
    rejected = answer_of(list_of(row["non_preferred_output"], "non_preferred_output"), "non_preferred_output")
    check_differ(chosen, rejected, "non_preferred_output")
    origin = kept(asked, "messages")
    pair = preferred("openai-preference", prompt, chosen, rejected)
    return pair.model_copy(update={"origin": {"input": origin} if origin else None})


def write_openai_preference(example: Example) -> Iterator[dict[str, Any]]:
    """Write a row for each preference."""
    others = (example.origin or {}).get("input")
    for chosen, rejected, _ in preferences(example):
        yield {
            "input": {"messages": message_list(example.prompt or ()), **(others if isinstance(others, dict) else {})},
            "preferred_output": message_list((assistant(chosen),)),
            "non_preferred_output": message_list((assistant(rejected),)),
        }


FORMS = (
    Form(
        "messages+chosen+rejected",
        frozenset({"messages", "chosen", "rejected"}),
        read_messages_pair,
        write_messages_pair,
        frozenset({"margin"}),
    ),
    Form(
        "openai-preference",
        frozenset({"input", "preferred_output", "non_preferred_output"}),
        read_openai_preference,
        write_openai_preference,
    ),
)
