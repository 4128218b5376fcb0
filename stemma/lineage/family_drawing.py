"""A family drawn as SVG: a box for each artifact, raw data at the left, the model at the right."""

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from stemma.lineage.family import Family, Member, size_text
from stemma.lineage.layered import lay_out
from stemma.lineage.runs import EVALUATION, MODEL_STAGES

BOX = (132, 58)
"""Width and height of a box, in pixels; a row is ROW high, a column COLUMN wide."""
COLUMN = 172
ROW = 80
MARGIN = 12
LETTERS = 14
"""As many letters of a name as a box has room for."""
ARROW = (
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0 8 4 0 8z"/></marker></defs>'
)
KINDS = {"raw": "raw data", "data": "dataset", "model": "model", "evaluation": "evaluation"}
"""What an artifact can be, in words."""


def kind_of(member: Member) -> str:
    """Which of KINDS an artifact is."""
    if member.derivation is None:
        return "raw"
    if member.name.startswith(EVALUATION):
        return "evaluation"
    return "model" if member.name in MODEL_STAGES else "data"


def anchor(dvc_id: str) -> str:
    """The name of an artifact's place on a page."""
    return f"artifact-{dvc_id}"


def draw(family: Family) -> str:
    """The drawing, as an SVG element whose boxes link to the artifacts' places on the page."""
    layout = lay_out({dvc_id: member.parents for dvc_id, member in family.members.items()})
    width = 2 * MARGIN + (layout.columns - 1) * COLUMN + BOX[0]
    height = round(2 * MARGIN + (layout.rows - 1) * ROW + BOX[1])
    lines = [f'<path d="{_curve(places)}"/>' for _, places in sorted(layout.lines.items())]
    boxes = [_box(family.members[dvc_id], column, row) for dvc_id, (column, row) in layout.boxes.items()]
    size = f'viewBox="0 0 {width} {height}" style="--natural: {width}px"'
    return "\n".join(
        [
            f'<svg role="group" aria-labelledby="drawing-title drawing-text" {size}>',
            f'<title id="drawing-title">{escape(_title(family))}</title>',
            f'<desc id="drawing-text">{escape(_in_words(family))}</desc>',
            ARROW,
            f'<g class="lines" aria-hidden="true">{"".join(lines)}</g>',
            *boxes,
            "</svg>",
        ]
    )


def _title(family: Family) -> str:
    member = family.members[family.root]
    return f"Family tree of {member.name} {family.root[:10]}: {len(family.members)} artifacts, raw data first"


def _in_words(family: Family) -> str:
    told = [
        f"{member.name} {dvc_id[:10]} is made from {_listed([_short(family, parent) for parent in member.parents])}"
        for dvc_id, member in family.members.items()
        if member.parents
    ]
    return ". ".join(told)


def _short(family: Family, dvc_id: str) -> str:
    return f"{family.members[dvc_id].name} {dvc_id[:10]}"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _box(member: Member, column: int, row: float) -> str:
    kind = kind_of(member)
    x, y = _left_top(column, row)
    name = member.name.rpartition("/")[2]
    shown = name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"
    label = f"{member.name}, {KINDS[kind]}, {member.dvc_id[:10]}, {size_text(member.size)}"
    return (
        f'<a href="#{escape(anchor(member.dvc_id))}" aria-label="{escape(label)}"><g class="box {kind}">'
        f"<title>{escape(label)}</title>"
        f'<rect x="{x}" y="{y:g}" width="{BOX[0]}" height="{BOX[1]}" rx="7"/>'
        f'<text class="name" x="{x + 10}" y="{y + 21:g}">{escape(shown)}</text>'
        f'<text class="id" x="{x + 10}" y="{y + 36:g}">{escape(member.dvc_id[:10])}</text>'
        f'<text class="size" x="{x + 10}" y="{y + 50:g}">{escape(size_text(member.size))}</text></g></a>'
    )


def _left_top(column: int, row: float) -> tuple[int, float]:
    return MARGIN + column * COLUMN, round(MARGIN + row * ROW, 1)


def _curve(places: Sequence[tuple[int, float]]) -> str:
    """A line from the right side of the first box to the left side of the last, level where it passes a column."""
    points = [(x, round(top + BOX[1] / 2, 1)) for x, top in (_left_top(*place) for place in places)]
    parts = [f"M{points[0][0] + BOX[0]} {points[0][1]:g}"]
    for (left, high), (right, low) in pairwise(points):
        start = left + BOX[0]
        half = (start + right) / 2
        parts += [f"C{half:g} {high:g} {half:g} {low:g} {right} {low:g}", f"H{right + BOX[0]}"]
    return " ".join(parts[:-1])
