"""The model card: README.md as the Hugging Face Hub reads it, a YAML header and then words for people."""

from io import StringIO
from typing import Any

from stemma.export.identity import timestamp
from stemma.export.numbers import Number
from stemma.export.story import Made, Story
from stemma.export.words import SCORERS, kind, limits, uses
from stemma.lineage.family import size_text, tree_lines
from stemma.records.counting import counted
from stemma.serving.model_files import ADAPTERS


def model_card(story: Story) -> str:
    """The card's text."""
    title, fact = story.told.title, story.model.fact
    commit = f"commit {story.run.commit}, {timestamp(story.run.created)}"
    lines = [
        *("---", _header(story).rstrip(), "---", ""),
        *(f"# {title}", "", f"{title} is {kind(story)}.", ""),
        f"- artifact: `{fact.dvc_id}`, {size_text(fact.size)}, made by stage {fact.name} of run {fact.made_by}",
        f"- record: experiment {story.run.name}, {commit}",
        f"- code: {_code(story.model)}",
        *_weights(story),
        *_section("How to load it", _loading(story)),
        *_section("Intended use", [f"- {line}" for line in uses(story)]),
        *_section("Limits", [f"- {line}" for line in limits(story)]),
        *_section("What it was made from", [*_origin(story), "", "```", *tree_lines(story.told.family.shown()), "```"]),
        *_section("Who labelled", _labels(story)),
        *_section("What was measured", _table(story)),
        *_section("Settings that differ from the defaults", _settings(story)),
        *_section("How to verify", VERIFY),
    ]
    return "\n".join(lines) + "\n"


VERIFY = [
    "    stemma verify-export . --key PUBLIC_KEY",
    "",
    "compares every file here with the statement in `provenance/statement.dsse.json`, offline. PUBLIC_KEY is the",
    "signer's, from the signer; with the key in `provenance/` alone it is proved that nothing changed since it was",
    "signed, but not who signed it. The statement names the sha256 of each file; it proves that the holder of the key",
    "vouches for these files and this history, not that what they say of the model is good.",
]


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", f"## {title}", "", *lines]


def _header(story: Story) -> str:
    from ruamel.yaml import YAML

    name = story.model.fact.name
    content: dict[str, Any] = {
        "library_name": "transformers",
        "pipeline_tag": "text-classification" if name in SCORERS else "text-generation",
        "tags": ["stemma", name],
    }
    hub = [fetched.model for fetched in story.fetched if fetched.source == "hub"]
    if hub:
        content["base_model"] = hub
    if story.numbers:
        content["model-index"] = [_index(story, content["pipeline_tag"])]
    stream = StringIO()
    yaml = YAML()
    yaml.width = 120
    yaml.dump(content, stream)
    return stream.getvalue()


def _index(story: Story, task: str) -> dict[str, Any]:
    stages = {number.stage: number.split for number in story.numbers}
    return {
        "name": story.told.title,
        "results": [
            {
                "task": {"type": task},
                "dataset": {"type": stage, "name": f"held-out data of stage {stage}", "split": split or "by name"},
                "metrics": [
                    {"type": number.name, "value": number.value} for number in story.numbers if number.stage == stage
                ],
            }
            for stage, split in stages.items()
        ],
    }


def _code(made: Made) -> str:
    committed = f"commit {made.run.baseline}"
    return f"{committed} with uncommitted changes, kept in commit {made.run.commit}" if made.run.dirty else committed


def _weights(story: Story) -> list[str]:
    """Which artifact's weights these are, where the model was trained as adapters."""
    files = story.files
    if not files.adapters:
        return []
    named = ", ".join(f"{stage} `{artifact}` (`{ADAPTERS}/{stage}`)" for stage, artifact in files.adapters)
    base = story.made[files.base]
    fetched = f", {base.fetched.model} at {base.fetched.revision}" if base.fetched else ""
    return [f"- base: {base.fact.name} `{files.base}`{fetched}", f"- adapters, merged into its weights: {named}"]


def _loading(story: Story) -> list[str]:
    kind = "AutoModelForSequenceClassification" if story.model.fact.name in SCORERS else "AutoModelForCausalLM"
    return [
        f"    from transformers import {kind}, AutoTokenizer",
        "",
        f"    model = {kind}.from_pretrained(FOLDER)",
        "    tokenizer = AutoTokenizer.from_pretrained(FOLDER)",
        "",
        "FOLDER is the folder of this file.",
    ]


def _origin(story: Story) -> list[str]:
    shown = story.told.family.shown().members
    files = [file for dvc_id, raw in story.raw.items() if dvc_id in shown for file in raw]
    lines = [f"- base model: {fetched.model} at {fetched.revision}" for fetched in story.fetched]
    lines += [f"- raw file: `{file.path}`, {size_text(file.size)}, sha256 `{file.sha256}`" for file in files]
    return lines or ["It has no raw files: its data was made by the code from the seed."]


def _labels(story: Story) -> list[str]:
    labelled = [made for made in story.made.values() if made.fact.labellers]
    lines = [
        f"- {name}{' (simulated)' if made.simulated else ''}: {counted(count, 'verdict')}, in `{made.fact.dvc_id}`"
        for made in labelled
        for name, count in made.fact.labellers.items()
    ]
    return lines or ["Nobody: no labels are in its family."]


def _table(story: Story) -> list[str]:
    if not story.numbers:
        return ["Nothing."]
    head = _cells("stage", "split", "number", "SFT", "this model", "95 % interval", "meaning")
    return [head, "|---|---|---|---|---|---|---|", *(_row(number) for number in story.numbers)]


def _row(number: Number) -> str:
    ends = "" if number.low is None or number.high is None else f"{number.low:.4g} to {number.high:.4g}"
    before = "" if number.before is None else f"{number.before:.4g}"
    cells = (number.stage, number.split, f"`{number.name}`", before, f"{number.value:.4g}", ends, number.meaning)
    return _cells(*cells)


def _cells(*cells: str) -> str:
    """A row of a table."""
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _settings(story: Story) -> list[str]:
    changed = {
        (key, repr(default), repr(value)): None
        for fact in story.told.facts.values()
        for key, (default, value) in fact.settings.items()
    }
    if not changed:
        return ["None."]
    rows = [_cells(f"`{key}`", f"`{default}`", f"`{value}`") for key, default, value in changed]
    return [_cells("setting", "default", "here"), "|---|---|---|", *rows]
