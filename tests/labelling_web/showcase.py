"""A batch as real as it gets: Markdown, code, Chinese and Arabic, and what a hostile model might write."""

from stemma.labelling.store.batch import NewBatch, NewItem
from stemma.records.types import Message

GUIDELINES = """\
## What counts

1. **Right** before well put: an answer with a wrong fact loses.
2. **Helpful**: it does what was asked, no more and no less.
3. **Honest**: it says what it does not know.

Say *tie* where you would not mind which one you get, and *both bad* where you would want neither.
"""

BINARY = (
    """\
A binary search halves the range at each step, so it takes `log2(n)` steps:

```python
def find(items, wanted):
    low, high = 0, len(items)
    while low < high:
        middle = (low + high) // 2
        if items[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low if low < len(items) and items[low] == wanted else None
```

It needs the list to be **sorted**; otherwise it may miss what is there.
""",
    """\
Use `in`:

```python
if wanted in items:
    print("found")
```

This looks at every element in turn. For a sorted list you can use the `bisect` module from the standard library, \
which is faster.
""",
)

TURNS = (
    Message(role="user", content="I have a sorted list of a million numbers."),
    Message(role="assistant", content="What would you like to do with it?"),
    Message(role="user", content="Find one of them quickly, in Python. Please explain how it works."),
)

CHINESE = ("北京是中国的首都，人口约两千一百万。", "中国的首都是**上海**。")
ARABIC = ("القاهرة هي عاصمة مصر، وتقع على نهر النيل.", "عاصمة مصر هي الإسكندرية. See also: *Cairo*.")

HOSTILE = (
    """\
<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>

[click](javascript:window.hacked=3) [data](data:text/html,<script>window.hacked=4</script>)
![pixel](http://127.0.0.1:9/pixel.png) <javascript:window.hacked=5> [fine](https://example.org/)

</pre></div></main><form action=http://127.0.0.1:9/><button name=choice value=first>x</button>
""",
    "\0 null \u202e turned " + "unbroken" * 2000,
)


def question(number: int, text: str, answers: tuple[str, ...], gold: int | None = None) -> NewItem:
    return NewItem(f"p{number}", (Message(role="user", content=text),), answers, gold)


def pair_batch() -> NewBatch:
    items = (
        NewItem("p0", TURNS, BINARY, priority=9),
        question(1, "中国的首都是哪里？", CHINESE, gold=None),
        question(2, "ما هي عاصمة مصر؟", ARABIC),
        question(3, "Show me *everything* you can do.", HOSTILE),
        question(4, "Repeat after me.", ("long " * 200_000, "short")),
        question(5, "How are you?", ("Fine, and you?", "Good.")),
    )
    return NewBatch("showcase", items, GUIDELINES, overlap=2)


def rank_batch() -> NewBatch:
    answers = ("Water boils at 100 °C at sea level.", "At 100 °C.", "It depends.", "At 50 °C.")
    items = tuple(question(number, "When does water boil?", answers) for number in range(3))
    return NewBatch("ranking", items, GUIDELINES, form="rank")
