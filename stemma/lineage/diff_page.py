"""Why two models differ, for people and as plain values."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from stemma.lineage.code_diff import CodeDiff
from stemma.lineage.diff import Diff, Difference, Sides
from stemma.lineage.family import Member
from stemma.lineage.names import Model
from stemma.lineage.row_diff import RowDiff, cut


def as_json(told: Diff) -> dict[str, Any]:
    """The differences as plain values; `a` and `b` are the sides, and one that lacks something has no entry."""
    return {
        "a": _model_json(told.a),
        "b": _model_json(told.b),
        "same_bytes": not told.differences,
        "differences": [
            {
                "a": {"name": one.pair.a.name, "artifact": one.pair.a.dvc_id, "experiment": one.pair.commits[0]},
                "b": {"name": one.pair.b.name, "artifact": one.pair.b.dvc_id, "experiment": one.pair.commits[1]},
                "parts_here": not one.follows,
                "follows": list(one.follows),
                "settings": one.settings,
                "inputs": one.inputs,
                "code": [asdict(file) for file in one.code],
                "rows": [asdict(file) for file in one.rows],
                "not_compared": list(one.unread),
            }
            for one in told.differences
        ],
        "metrics": told.metrics,
    }


def page(told: Diff) -> str:
    """The differences for people: where the trees part, what differs in itself besides, what follows, the metrics."""
    lines = [f"a  {_model_line(told.a)}", f"b  {_model_line(told.b)}"]
    if not told.differences:
        return "\n".join([*lines, "", "Both are the same bytes."])
    later = [one for one in told.differences if one.follows]
    lines += ["", "The trees part at", *_paragraphs(told.partings)]
    lines += _section("What follows differs in itself too", _paragraphs(one for one in later if one.own))
    lines += _section("Different because of that alone", (_consequence(one) for one in later if not one.own))
    return "\n".join([*lines, *_section("Metrics", _metrics(told.metrics))])


def _model_json(model: Model) -> dict[str, Any]:
    return {
        "name": model.title,
        "aliases": list(model.aliases),
        "stage": model.derivation.stage,
        "artifact": model.derivation.artifact,
        "run": model.run.name,
        "experiment": model.run.commit,
    }


def _model_line(model: Model) -> str:
    aliases = f" ({', '.join(model.aliases)})" if model.aliases else ""
    run = f", run {model.run.name}" if model.version else ""
    return f"{model.title}{aliases}{run}: {model.derivation.artifact}"


def _section(title: str, lines: Iterable[str]) -> list[str]:
    found = list(lines)
    return ["", title, *found] if found else []


def _paragraphs(differences: Iterable[Difference]) -> list[str]:
    return [line for one in differences for line in _paragraph(one)]


def _paragraph(one: Difference) -> list[str]:
    a, b = one.pair.a, one.pair.b
    lines = [f"    {key}: {_sided(sides)}" for key, sides in one.settings.items()]
    lines += [
        f"    input {path} only in {''.join(sides)}: {''.join(sides.values())}" for path, sides in one.inputs.items()
    ]
    lines += [f"    code {_code_line(file)}" for file in one.code]
    if one.code:
        paths = " ".join(file.path for file in one.code)
        lines.append(f"    look: git diff {one.pair.commits[0][:10]} {one.pair.commits[1][:10]} -- {paths}")
    for file in one.rows:
        lines += _row_lines(file) if not one.follows else [f"    rows {_counts(file)}"]
    lines += [f"    rows not compared: the files of {artifact} are nowhere here" for artifact in one.unread]
    if not one.follows and not lines:
        lines = [_unexplained(a, b)]
    return [f"  {_name(a)} | {_name(b)}", *lines]


def _unexplained(a: Member, b: Member) -> str:
    if a.derivation is None or b.derivation is None:
        return "    another raw input; nothing more is on record"
    return (
        "    the same command, settings, code and inputs gave other bytes: the stage does not repeat itself, "
        "see `stemma reproduce`"
    )


def _name(member: Member) -> str:
    return f"{member.name} {member.dvc_id}"


def _sided(sides: Sides) -> str:
    return " | ".join(repr(sides[side]) if side in sides else "–" for side in ("a", "b"))


def _code_line(file: CodeDiff) -> str:
    if file.only:
        return f"{file.path}: only {file.only} depends on it"
    if file.removed is None or file.added is None:
        return f"{file.path}: not text"
    return f"{file.path}: " + (f"−{file.removed} +{file.added} lines" if file.removed or file.added else "line ends")


def _row_lines(file: RowDiff) -> list[str]:
    return [
        f"    rows {_counts(file)}",
        *(f"      − {cut(row)}" for row in file.first_removed),
        *(f"      + {cut(row)}" for row in file.first_added),
    ]


def _counts(file: RowDiff) -> str:
    if file.unread:
        return f"{file.file}: not compared, for {file.unread}"
    return f"{file.file}: " + (f"−{file.removed} +{file.added}" if file.removed or file.added else "in another order")


def _consequence(one: Difference) -> str:
    counts = "; ".join(_counts(file) for file in one.rows)
    return f"  {_name(one.pair.a)} | {_name(one.pair.b)}" + (f"  rows {counts}" if counts else "")


def _metrics(metrics: dict[str, Sides]) -> list[str]:
    """A line for each number that differs; the rest are counted."""
    unlike = {name: sides for name, sides in metrics.items() if sides.get("a") != sides.get("b")}
    rows = [("", "a", "b"), *((name, *_figures(sides)) for name, sides in unlike.items())]
    same = len(metrics) - len(unlike)
    return [*_aligned(rows)] * bool(unlike) + [f"  {same} more are the same"] * bool(same)


def _figures(sides: Sides) -> tuple[str, str]:
    a, b = (f"{sides[side]:.4g}" if side in sides else "–" for side in ("a", "b"))
    return a, b


def _aligned(rows: Sequence[tuple[str, str, str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [f"  {name:<{widths[0]}}  {a:>{widths[1]}}  {b:>{widths[2]}}" for name, a, b in rows]
