"""OpenAI's summarize-from-feedback comparisons (Stiennon et al. 2020).

`{"info": {"id", "post", "title", "subreddit"}, "summaries": [{"text", "policy", "note"}, {…}], "choice": 0 or 1,
"worker", "batch", "split", "extra": {"confidence"}}`; for CNN/DM, `info` has an `article` in place of the post.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from stemma.records.conversation import only_question, text_of
from stemma.records.example import Answer, Example, Opinion, Pair
from stemma.records.fault import RowFault
from stemma.records.fields import index_of, kept, list_of, name_of, object_of, part_of
from stemma.records.forms.form import Form, Row
from stemma.records.types import Message


def read_comparison(row: Row) -> Example:
    """Read two summaries and which one the worker chose. Raises RowFault where a part is misshapen."""
    info = object_of(row["info"], "info")
    source = "article" if info.get("article") is not None else "post"
    text = text_of(part_of(info, source, "info"), f"info.{source}").strip()
    before, after = _around(info, source)
    summaries = list_of(row["summaries"], "summaries")
    if len(summaries) != 2:
        raise RowFault("summaries", f"must be two: there are {len(summaries)}")
    choice = index_of(row["choice"], "choice", 2)
    opinion = Opinion(
        ranking=((choice,), (1 - choice,)),
        annotator=name_of(row.get("worker"), "worker"),
        origin=kept(row, "info", "summaries", "choice", "worker"),
    )
    return Example(
        form="summarize-comparisons",
        prompt=(Message(role="user", content=f"{before}{text}{after}"),),
        answers=tuple(_summary(value, f"summaries[{index}]") for index, value in enumerate(summaries)),
        opinions=(opinion,),
        origin=kept({"info": kept(info, source), "source": source if source == "article" else None}),
    )


def write_comparison(example: Example) -> Iterator[dict[str, Any]]:
    """Write a row for each preference of a prompt that is one question."""
    info = _info(example)
    for pair in example.pairs():
        if info is not None and pair.choice in {"first", "second"}:
            yield {"info": info, **_verdict(pair)}


def _verdict(pair: Pair) -> dict[str, Any]:
    worker = pair.opinion.annotator
    return {
        "summaries": [{**(answer.origin or {}), "text": answer.text} for answer in (pair.first, pair.second)],
        "choice": 0 if pair.choice == "first" else 1,
        **({} if worker is None else {"worker": worker}),
        **{key: value for key, value in (pair.opinion.origin or {}).items() if key in _MORE},
    }


def _summary(value: Any, field: str) -> Answer:
    summary = object_of(value, field)
    return Answer(text=text_of(part_of(summary, "text", field), f"{field}.text").strip(), origin=kept(summary, "text"))


def _info(example: Example) -> dict[str, Any] | None:
    question = only_question(example.prompt or ())
    if question is None:
        return None
    origin = example.origin or {}
    info, source = origin.get("info", {}), origin.get("source", "post")
    if isinstance(info, dict) and isinstance(source, str):
        before, after = _around(info, source)
        if question.startswith(before) and question.endswith(after):
            return {**info, source: question[len(before) : len(question) - len(after)]}
    return {"post": question}


def _around(info: Mapping[str, Any], source: str) -> tuple[str, str]:
    """What stands before and after the text: the prompt of the paper's policies; a text without a title is bare."""
    if info.get("title") is None and info.get("subreddit") is None:
        return "", ""
    lines = [f"SUBREDDIT: r/{text_of(info['subreddit'], 'info.subreddit')}\n\n"] if info.get("subreddit") else []
    lines += [f"TITLE: {text_of(info['title'], 'info.title')}\n\n"] if info.get("title") else []
    return "".join(lines) + ("POST: " if source == "post" else ""), "\n\nTL;DR:"


_MORE = frozenset({"batch", "split", "extra"})
FORMS = (
    Form(
        "summarize-comparisons",
        frozenset({"info", "summaries", "choice"}),
        read_comparison,
        write_comparison,
        _MORE | {"worker"},
    ),
)
