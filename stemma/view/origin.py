"""What a policy was made from, in a few words: for the page of its run and of its version in MLflow."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stemma.config import Values
from stemma.lineage.family import size_text
from stemma.lineage.runs import Run
from stemma.lineage.trace import Trace, changed_settings

SETTINGS_SHOWN = 20
"""As many settings off their default as a page names; the file params.yaml has all."""
LONGEST_LIST = 800
"""Characters of a list of annotators or files on a page, which has room for 5000 in all."""
SIMULATED = ("annotators", "verdicts_per_pair", "overlap_share")
"""What section label says of simulated annotators."""


@dataclass(frozen=True)
class Origin:
    """What a policy was made from."""

    base: str
    """`from scratch, seed 0`, or `OWNER/NAME@commit`; empty if its family has no base model."""
    data: tuple[str, ...]
    """The raw data."""
    labellers: Mapping[str, int]
    """Annotators and judges with the number of their verdicts."""
    changed: Mapping[str, tuple[Any, Any]]
    """Settings off their default: key → (default, value)."""

    def tags(self) -> dict[str, str]:
        """The same as tags of a run."""
        return {
            **({"stemma.base": self.base} if self.base else {}),
            **({"stemma.labellers": labellers_text(self.labellers)} if self.labellers else {}),
        }

    def paragraphs(self, most: int = SETTINGS_SHOWN) -> list[str]:
        """The same as Markdown, with at most so many settings."""
        labelled = labellers_text(self.labellers) if self.labellers else "nobody on record"
        changed = [
            f"`{key}` = {_short(value)} (default {_short(usual)})" for key, (usual, value) in self.changed.items()
        ]
        more = [f"{len(changed) - most} more in `params.yaml`"] if len(changed) > most else []
        settings = ", ".join(changed[:most] + more) or "none"
        return [
            f"**Base model:** {self.base or 'none'}.",
            f"**Data:** {_cut(', '.join(self.data))}.",
            f"**Labelled by:** {_cut(labelled)}.",
            f"**Settings off their default:** {settings}.",
        ]


def origin_of(told: Trace, run: Run, defaults: Values) -> Origin:
    """What the policy of a run was made from, by its trace."""
    facts = told.facts.values()
    labels: Counter[str] = Counter()
    for fact in facts:
        labels.update(fact.labellers if fact.name == "label" else {})
    raw = [member for member in told.family.members.values() if member.derivation is None]
    own = [f"{member.name} ({size_text(member.size)}, DVC id {member.dvc_id[:10]})" for member in raw]
    files = [str(file) for file in run.params.get("data", {}).get("files") or ()]
    world = [] if files else [f"the default world, made from seed {run.params.get('seed', 0)}"]
    return Origin(
        base=next((fact.origin for fact in facts if fact.origin), ""),
        data=(*world, *own, *files),
        labellers=dict(sorted(labels.items())),
        changed=changed_settings(really_used(run.params), defaults),
    )


def really_used(settings: Values) -> Values:
    """Settings without those of the simulated annotators, where none was asked: they are not who labelled."""
    label = settings.get("label", {})
    if label.get("source", "simulated") == "simulated":
        return settings
    return {**settings, "label": {key: value for key, value in label.items() if key not in SIMULATED}}


def labellers_text(labellers: Mapping[str, int]) -> str:
    """Names with their numbers of verdicts: `ada (112), ben (98)`."""
    return ", ".join(f"{name} ({count})" for name, count in labellers.items())


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_LIST else f"{text[:LONGEST_LIST]}… (all: `stemma trace`)"


def _short(value: Any) -> str:
    text = str(value) or repr(value)
    return f"`{text if len(text) <= 60 else text[:60] + '…'}`"
