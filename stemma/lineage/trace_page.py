"""The story of a model as one web page: the drawn family, then all that is known of each artifact.

It holds no script and asks for nothing, so it can be mailed, archived, and shown by MLflow's own viewer.
"""

from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from stemma.errors import WorkspaceError
from stemma.lineage.family import Family, size_text
from stemma.lineage.family_drawing import KINDS, anchor, draw, kind_of
from stemma.lineage.trace import Fact, Trace
from stemma.lineage.trace_style import STYLE
from stemma.records.counting import counted

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""What a browser may load for the page: nothing."""


def trace_html(told: Trace) -> str:
    """The page, complete; the same trace always gives the same bytes."""
    members = told.family.members
    kinds = [kind for kind in KINDS if any(kind_of(member) == kind for member in members.values())]
    artifacts = "\n".join(_artifact(told.family, fact) for fact in told.facts.values())
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(told.title)}: its family tree</title>
<style>
{STYLE}</style>
</head>
<body>
<main>
<h1>{escape(told.title)}{_aliases(told)}</h1>
{_origin(told)}
<h2>Family tree</h2>
<p class="legend">{" ".join(f'<span class="{kind}">{KINDS[kind]}</span>' for kind in kinds)}</p>
<div class="drawing" tabindex="0" role="region" aria-label="Drawing of the family tree">
{draw(told.family)}
</div>
<h2>Artifacts</h2>
{artifacts}
</main>
</body>
</html>
"""


def write_trace(told: Trace, file: Path) -> None:
    """Write the page to a file.

    Raises WorkspaceError where that cannot be.
    """
    try:
        file.write_text(trace_html(told), encoding="utf-8")
    except OSError as error:
        raise WorkspaceError(f"{file} cannot be written ({error.strerror}); name another with --html FILE") from None


def _origin(told: Trace) -> str:
    """What the model is, and how to get it."""
    root = told.family.members[told.family.root]
    when = f" of {root.run.created:%Y-%m-%d %H:%M} UTC" if root.run else ""
    return (
        f"<p>{escape(root.name)} {_code(root.dvc_id)}</p>\n"
        f"<p>Record: experiment <b>{escape(told.run)}</b>, commit {_code(told.experiment)}{when}</p>\n"
        f"<p>Its files: {_code(f'dvc exp apply {told.run}')}</p>"
    )


def _aliases(told: Trace) -> str:
    return "".join(f' <span class="alias">{escape(alias)}</span>' for alias in told.aliases)


def _artifact(family: Family, fact: Fact) -> str:
    """The section of one artifact."""
    kind = kind_of(family.members[fact.dvc_id])
    used = [child for child, member in family.members.items() if fact.dvc_id in member.parents]
    rows = {
        "DVC id": _code(fact.dvc_id),
        "Kind": f'<span class="{kind}">{KINDS[kind]}</span>, {escape(size_text(fact.size))}',
        "Tainted": f"<strong>{escape(fact.taint)}</strong>" if fact.taint else "",
        "Origin": escape(fact.origin),
        "Made by run": escape(fact.made_by),
        "Command": _code(fact.command),
        "Code commit": _code(fact.code) + (" with uncommitted changes" if fact.dirty else ""),
        "Settings": _settings(fact.settings),
        "Labelled by": _labellers(fact.labellers),
        "Made from": _links(family, fact.made_from),
        "Used for": _links(family, used),
    }
    body = "".join(f'<tr><th scope="row">{name}</th><td>{value}</td></tr>\n' for name, value in rows.items() if value)
    heading = f"<h3>{escape(fact.name)} <code>{escape(fact.dvc_id[:10])}</code></h3>"
    return f'<section id="{escape(anchor(fact.dvc_id))}">\n{heading}\n<table>\n{body}</table>\n</section>'


def _code(text: str) -> str:
    return f"<code>{escape(text)}</code>" if text else ""


def _links(family: Family, ids: Iterable[str]) -> str:
    return ", ".join(
        f'<a href="#{escape(anchor(dvc_id))}">{escape(family.members[dvc_id].name)} '
        f"<code>{escape(dvc_id[:10])}</code></a>"
        for dvc_id in ids
    )


def _settings(settings: Mapping[str, tuple[Any, Any]]) -> str:
    """The settings that differ from their defaults."""
    if not settings:
        return ""
    rows = "".join(
        f'<tr><th scope="row"><code>{escape(key)}</code></th><td>{escape(repr(value))}</td>'
        f"<td>{escape(repr(default))}</td></tr>\n"
        for key, (default, value) in settings.items()
    )
    head = '<tr><th scope="col">not the default</th><th scope="col">value</th><th scope="col">default</th></tr>\n'
    return f'<table class="inner">\n{head}{rows}</table>'


def _labellers(labellers: Mapping[str, int]) -> str:
    named = [f"<li>{escape(name)}: {counted(count, 'verdict')}</li>" for name, count in labellers.items()]
    return f"<ul>{''.join(named)}</ul>" if named else ""
