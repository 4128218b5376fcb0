"""Rows of every format, as the tools that they come from write them: a strategy for each."""

from typing import Any

from hypothesis import strategies as st

Row = dict[str, Any]

LETTERS = st.characters(exclude_categories=["Cs"])
TEXTS = st.text(LETTERS, min_size=1, max_size=12).filter(lambda text: bool(text.strip()))
TURNS = TEXTS.map(str.strip).filter(lambda text: "\r" not in text)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
NUMBERS = st.integers(-9, 9) | st.floats(-9, 9)
NAMES = st.sampled_from(["ada", "ben@x.org", "10", "0"]) | TEXTS


def pairs_of(texts: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(texts, min_size=2, max_size=2, unique_by=str.strip)


def row(needed: dict[str, Any], **optional: Any) -> st.SearchStrategy[Row]:
    return st.fixed_dictionaries(needed, optional={name: st.none() | value for name, value in optional.items()})


def message(role: str) -> st.SearchStrategy[Row]:
    return st.fixed_dictionaries({"role": st.just(role), "content": TEXTS})


@st.composite
def prompts(draw: st.DrawFn) -> list[Row]:
    system = draw(st.lists(message("system"), max_size=1))
    earlier = draw(st.lists(st.tuples(message("user"), message("assistant")), max_size=2))
    return [*system, *(turn for exchange in earlier for turn in exchange), draw(message("user"))]


CUT = {"chosen_finished": st.just(False), "rejected_finished": st.just(False)}
"""Said only of an answer that was cut."""


@st.composite
def trl_pairs(draw: st.DrawFn) -> Row:
    chosen, rejected = draw(pairs_of(TEXTS))
    answers: Row = {"chosen": chosen, "rejected": rejected}
    if draw(st.booleans()):
        answers = {name: [{"role": "assistant", "content": text}] for name, text in answers.items()}
    return {"prompt": draw(TEXTS | prompts()), **answers, **draw(row({}, margin=NUMBERS, **CUT))}


@st.composite
def implicit_pairs(draw: st.DrawFn) -> Row:
    prompt, answers = draw(prompts()), draw(pairs_of(TEXTS))
    both = [[*prompt, {"role": "assistant", "content": text}] for text in answers]
    return {"chosen": both[0], "rejected": both[1], **draw(row({}, margin=NUMBERS, **CUT))}


@st.composite
def transcripts(draw: st.DrawFn) -> Row:
    said = TURNS.filter(lambda text: "Human:" not in text and "Assistant:" not in text)
    turns = draw(st.lists(st.tuples(said, said), max_size=2))
    prompt = "".join(f"\n\nHuman: {asked}\n\nAssistant: {told}" for asked, told in turns) + f"\n\nHuman: {draw(said)}"
    answers = draw(pairs_of(said))
    return {name: f"{prompt}\n\nAssistant: {text}" for name, text in zip(("chosen", "rejected"), answers, strict=True)}


@st.composite
def messages_pairs(draw: st.DrawFn) -> Row:
    answers = [{"role": "assistant", "content": text} for text in draw(pairs_of(TEXTS))]
    both: list[Any] = answers if draw(st.booleans()) else [[answer] for answer in answers]
    return {"messages": draw(prompts()), "chosen": both[0], "rejected": both[1], **draw(row({}, margin=NUMBERS))}


@st.composite
def openai_preferences(draw: st.DrawFn) -> Row:
    answers = [[{"role": "assistant", "content": text}] for text in draw(pairs_of(TEXTS))]
    asked = draw(row({"messages": prompts()}, tools=st.lists(JSON), parallel_tool_calls=st.booleans()))
    return {"input": asked, "preferred_output": answers[0], "non_preferred_output": answers[1]}


HISTORY = st.lists(st.lists(TEXTS, min_size=2, max_size=2), max_size=2)
INSTRUCTIONS = row({"instruction": TEXTS}, input=TEXTS | st.just(""), system=TEXTS | st.just(""), history=HISTORY)


@st.composite
def alpaca_pairs(draw: st.DrawFn) -> Row:
    chosen, rejected = draw(pairs_of(TEXTS))
    return {**draw(INSTRUCTIONS), "chosen": chosen, "rejected": rejected, **draw(row({}, margin=NUMBERS))}


def turn(name: str) -> st.SearchStrategy[Row]:
    return st.fixed_dictionaries({"from": st.just(name), "value": TEXTS})


@st.composite
def sharegpt(draw: st.DrawFn) -> Row:
    turns = draw(st.lists(st.tuples(turn("human"), turn("gpt")), min_size=1, max_size=3))
    return {"conversations": [said for exchange in turns for said in exchange], **draw(row({}, system=TEXTS))}


@st.composite
def sharegpt_pairs(draw: st.DrawFn) -> Row:
    conversation = draw(sharegpt())
    chosen, rejected = ({"from": "gpt", "value": text} for text in draw(pairs_of(TEXTS)))
    return {**conversation, "conversations": conversation["conversations"][:-1], "chosen": chosen, "rejected": rejected}


@st.composite
def summaries(draw: st.DrawFn) -> Row:
    source = draw(st.sampled_from(["post", "article"]))
    info = draw(row({source: TEXTS}, id=TEXTS, title=TEXTS, subreddit=TEXTS, site=TEXTS))
    summary = row({"text": TEXTS}, policy=TEXTS, note=TEXTS)
    needed = {
        "info": st.just(info),
        "summaries": st.lists(summary, min_size=2, max_size=2),
        "choice": st.integers(0, 1),
    }
    extra = row({}, confidence=st.integers(1, 9))
    return draw(row(needed, worker=NAMES, batch=TEXTS, split=st.sampled_from(["train", "valid1"]), extra=extra))


ALPACA_FARM = row(
    {
        "instruction": TEXTS,
        "output_1": TEXTS,
        "output_2": TEXTS,
        "preference": st.sampled_from([0, 1, 2, 1.5]) | st.floats(1, 2).map(lambda value: round(value, 6)),
    },
    input=TEXTS | st.just(""),
    annotator=NAMES,
    annotator_index=st.integers(0, 20),
    time_per_example=NUMBERS,
    output_1_generator=TEXTS,
    output_2_generator=TEXTS,
    dataset=TEXTS,
    datasplit=TEXTS,
)


@st.composite
def ranked_responses(draw: st.DrawFn) -> Row:
    responses = draw(st.lists(TEXTS, min_size=2, max_size=4))
    index = st.integers(0, len(responses) - 1)
    pairs = draw(st.lists(st.lists(index, min_size=2, max_size=2, unique=True), max_size=4))
    return {
        "prompt": draw(TEXTS | prompts()),
        "responses": responses,
        "pairs": pairs,
        **draw(row({}, sft_target=TEXTS)),
    }


RATING = st.integers(1, 5).map(str) | st.floats(1, 10)
ASPECT = row({"Rating": RATING}, Rationale=TEXTS, Type=JSON)
COMPLETION = row(
    {"response": TEXTS, "annotations": st.dictionaries(TEXTS, ASPECT, min_size=1, max_size=3)},
    model=TEXTS,
    principle=TEXTS,
    critique=TEXTS,
    overall_score=NUMBERS,
)
ULTRAFEEDBACK = row(
    {"instruction": TEXTS, "completions": st.lists(COMPLETION, min_size=2, max_size=4)},
    source=TEXTS,
    models=st.lists(TEXTS, max_size=4),
    correct_answers=st.lists(TEXTS, max_size=2),
    incorrect_answers=st.lists(TEXTS, max_size=2),
)

SHP = row(
    {"history": TEXTS, "human_ref_A": TEXTS, "human_ref_B": TEXTS, "labels": st.integers(0, 1)},
    post_id=TEXTS,
    domain=TEXTS,
    upvote_ratio=NUMBERS,
    score_A=NUMBERS,
    score_B=NUMBERS,
    created_at_utc_A=NUMBERS,
    c_root_id_B=TEXTS,
    seconds_difference=NUMBERS,
    score_ratio=NUMBERS,
)


def annotations(region: st.SearchStrategy[Row]) -> st.SearchStrategy[list[Row]]:
    other = st.just({"from_name": "why", "type": "textarea", "value": {"text": ["nicer"]}})
    person = st.integers(0, 20) | st.fixed_dictionaries({"id": st.integers(1, 9), "email": st.just("ben@x.org")})
    return st.lists(
        row(
            {"result": st.tuples(region).map(list) | st.tuples(other, region).map(list) | st.just([])},
            completed_by=person,
            was_cancelled=st.booleans(),
            ground_truth=st.booleans(),
            lead_time=NUMBERS,
            id=st.integers(0, 99),
            created_at=TEXTS,
        ),
        max_size=3,
    )


def predictions(region: st.SearchStrategy[Row]) -> st.SearchStrategy[list[Row]]:
    return st.lists(row({"result": st.tuples(region).map(list)}, model_version=NAMES, score=NUMBERS), max_size=2)


def task(data: Row, region: st.SearchStrategy[Row]) -> st.SearchStrategy[Row]:
    told = row({name: st.just(value) for name, value in data.items()}, topic=JSON)
    needed = {"data": told, "annotations": annotations(region)}
    return row(needed, id=st.integers(0, 2**40), predictions=predictions(region), meta=JSON, inner_id=st.integers(0, 9))


@st.composite
def pairwise_tasks(draw: st.DrawFn) -> Row:
    prompt = draw(st.sampled_from(["prompt", "instruction"]))
    names = draw(st.sampled_from([("answer1", "answer2"), ("response_a", "response_b")]))
    data = {prompt: draw(TEXTS), **{name: draw(TEXTS) for name in names}}
    value = st.fixed_dictionaries({"selected": st.sampled_from(["left", "right", *names])})
    about = {
        "from_name": st.just("comparison"),
        "to_name": st.just(names[0]),
        "type": st.just("pairwise"),
        "value": value,
    }
    return draw(task(data, row(about, id=TEXTS, origin=st.just("manual"))))


@st.composite
def ranker_tasks(draw: st.DrawFn) -> Row:
    ids = draw(st.lists(TEXTS, min_size=2, max_size=4, unique=True))
    items = [draw(row({"id": st.just(name), "body": TEXTS}, title=TEXTS)) for name in ids]
    lists = st.permutations(ids).flatmap(
        lambda order: st.integers(0, len(order)).map(lambda cut: {"_": order[:cut], "biased_results": order[cut:]})
    ) | st.permutations(ids).map(lambda order: {"rank": order})
    value = st.fixed_dictionaries({"ranker": lists})
    region = row({"type": st.just("ranker"), "value": value, "from_name": st.just("rank")}, to_name=TEXTS)
    return draw(task({"prompt": draw(TEXTS), "items": items}, region))


@st.composite
def argilla_records(draw: st.DrawFn, rating: bool = False) -> Row:
    names = [f"response{number + 1}" for number in range(draw(st.integers(2, 3)))]
    users = draw(st.lists(NAMES, max_size=3, unique=True))
    status = [draw(st.sampled_from(["submitted", "draft", "discarded"])) for _ in users]
    record: Row = {"prompt": draw(TEXTS | prompts()), **{name: draw(TEXTS) for name in names}}
    record |= draw(row({}, id=TEXTS, status=st.just("completed"), topic=JSON))
    ranks = st.fixed_dictionaries({name: st.integers(1, 3) for name in names}).map(
        lambda told: [{"value": name, "rank": rank} for name, rank in told.items()]
    )
    rankings: st.SearchStrategy[Any] = st.permutations(names) | ranks
    asked = {f"rating_{name}": st.integers(1, 7) for name in names} if rating else {"better": rankings}
    for question, values in asked.items():
        given = [draw(values if state == "submitted" else st.none() | values) for state in status]
        record |= {f"{question}.responses": given, f"{question}.responses.users": users}
        record |= {f"{question}.responses.status": status}
        record |= {f"{question}.suggestion": draw(st.none() | values), f"{question}.suggestion.score": draw(NUMBERS)}
        record |= {f"{question}.suggestion.agent": draw(st.sampled_from(["gpt-x", None]))}
    return record | {"why.responses": ["nicer"], "why.responses.users": ["ada"], "why.responses.status": ["submitted"]}


STRATEGIES: dict[str, list[st.SearchStrategy[Row]]] = {
    "text": [row({"text": TEXTS})],
    "prompt": [row({"prompt": TEXTS | prompts()})],
    "prompt+completion": [row({"prompt": TEXTS | prompts(), "completion": TEXTS})],
    "messages": [st.tuples(prompts(), message("assistant")).map(lambda parts: {"messages": [*parts[0], parts[1]]})],
    "prompt+chosen+rejected": [trl_pairs()],
    "chosen+rejected": [implicit_pairs()],
    "hh-rlhf": [transcripts()],
    "messages+chosen+rejected": [messages_pairs()],
    "openai-preference": [openai_preferences()],
    "alpaca": [st.tuples(INSTRUCTIONS, TEXTS).map(lambda parts: {**parts[0], "output": parts[1]})],
    "alpaca-pairs": [alpaca_pairs()],
    "sharegpt": [sharegpt()],
    "sharegpt-pairs": [sharegpt_pairs()],
    "summarize-comparisons": [summaries()],
    "alpaca-farm": [ALPACA_FARM],
    "responses+pairs": [ranked_responses()],
    "ultrafeedback": [ULTRAFEEDBACK],
    "shp": [SHP],
    "label-studio": [pairwise_tasks(), ranker_tasks()],
    "argilla": [argilla_records(), argilla_records(rating=True)],
}
