"""What checking judges found, for people."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from stemma.evaluation.intervals import Interval
from stemma.judging.check import Check, as_values

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
STYLE = """\
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } td, th { padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top; }
img { max-width: 100%; background: #fff; }
"""


@dataclass(frozen=True)
class Judged:
    """One judge, checked."""

    judge: str
    check: Check
    kappa: Interval | None
    """Cohen's kappa of the judge and people."""
    passes: bool


def lines_of(judged: Judged, bar: float) -> list[tuple[str, str]]:
    """Each number with its name."""
    found = judged.check
    under = "" if judged.passes else f"   UNDER THE BAR of {bar:g}"
    ties = f", and {found.people_ties} that people call equal" if found.people_ties else ""
    error = "-" if found.calibration_error is None else f"{found.calibration_error:.3f}"
    return [
        ("pairs", f"{found.pairs}{ties}"),
        ("agreement with people", _interval(found.agreement) + under),
        ("Cohen's kappa", _interval(judged.kappa)),
        ("verdict changes with the order", _interval(found.flips)),
        ("prefers what is shown first", _interval(found.shown_first)),
        ("prefers the longer answer", f"{_interval(found.judge_longer)}; people {_interval(found.people_longer)}"),
        ("says the same when asked again", _interval(found.consistency)),
        ("expected calibration error", error),
    ]


def page(title: str, judges: Sequence[Judged], bar: float) -> str:
    """All judges for a terminal."""
    lines = [f"Judges against people: {title}. Brackets are 95 % intervals."]
    for judged in judges:
        rows = lines_of(judged, bar)
        width = max(len(name) for name, _ in rows)
        lines += ["", f"judge {judged.judge}", *(f"  {name:<{width}}  {number}" for name, number in rows)]
    return "\n".join(lines)


def html(title: str, judges: Sequence[Judged], bar: float, pictures: Mapping[str, bytes]) -> str:
    """All judges as one web page with their calibration plots (PNG, by judge); it loads nothing from elsewhere."""
    parts = "\n".join(_part(judged, bar, pictures[judged.judge]) for judged in judges)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Judges against people: {escape(title)}</title>
<style>
{STYLE}</style>
</head>
<body>
<h1>Judges against people: {escape(title)}</h1>
<p>Brackets are 95 % intervals.</p>
{parts}
</body>
</html>
"""


def as_json(title: str, judges: Sequence[Judged], bar: float) -> dict[str, Any]:
    """All judges as plain values."""
    return {
        "labels": title,
        "least_agreement": bar,
        "judges": [
            {
                "judge": judged.judge,
                "passes": judged.passes,
                "kappa": judged.kappa._asdict() if judged.kappa else None,
                **as_values(judged.check),
            }
            for judged in judges
        ],
    }


def _part(judged: Judged, bar: float, picture: bytes) -> str:
    rows = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(number)}</td></tr>'
        for name, number in lines_of(judged, bar)
    )
    source = f"data:image/png;base64,{b64encode(picture).decode()}"
    words = f"Calibration of {escape(judged.judge)}: the judge's chance against people's share"
    return f'<h2>{escape(judged.judge)}</h2>\n<table>\n{rows}\n</table>\n<img alt="{words}" src="{source}">'


def _interval(interval: Interval | None) -> str:
    if interval is None:
        return "-"
    return f"{interval.estimate:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
