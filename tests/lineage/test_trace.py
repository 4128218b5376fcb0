"""What made a model: the tree, and what is known of each artifact."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from stemma.lineage.family import family_of, tree_lines
from stemma.lineage.forgotten import Tombstones
from stemma.lineage.index import Index
from stemma.lineage.names import find_model
from stemma.lineage.store import Store
from stemma.lineage.trace import Trace, base_origin, page, trace
from stemma.lineage.trace_page import trace_html
from tests.family import FamilyProject, Made
from tests.history import closure, random_history


def told(project: FamilyProject, name: str, defaults: dict[str, object] | None = None) -> Trace:
    with closing(Index(project.path)) as index, Store(project.path) as store:
        return trace(index, store, find_model(project.path, index, name), defaults or {})


def test_what_was_drawn_is_named_again_but_not_unfolded(tmp_path: Path) -> None:
    project = FamilyProject(tmp_path / "project")
    data, base, sft = (f"{letter * 32}.dir" for letter in "abc")
    stages = [
        Made("data", data, 1500, {"inputs": "d" * 32 + ".dir"}, {"stemma/x.py": "e" * 32}),
        Made("base", base, 1500, {"artifacts/data": data}),
        Made("sft", sft, 1500, {"artifacts/base": base, "artifacts/data": data}),
    ]
    project.run("calm", stages)
    assert tree_lines(told(project, "calm").family) == [
        "sft      cccccccccc     1.5 kB",
        "├── base     bbbbbbbbbb     1.5 kB",
        "│   └── data     aaaaaaaaaa     1.5 kB",
        "│       └── inputs   dddddddddd        1 B",
        "└── data     aaaaaaaaaa     1.5 kB  (above)",
    ]


def test_a_tree_shows_neither_placeholders_nor_an_ai_label_that_asked_nobody(tmp_path: Path) -> None:
    project = FamilyProject(tmp_path / "project")
    readme = b"Your files lie here.\n"
    for path in ("inputs/data", "inputs/real"):
        (project.path / path).mkdir(parents=True)
        (project.path / path / "README").write_bytes(readme)
    (project.path / "inputs" / "real" / "rows.jsonl").write_bytes(b"{}\n")
    project.git.run("add", "--all")
    project.git.run("commit", "--quiet", "--message", "inputs")
    empty = project.folder({"README": readme})
    real = project.folder({"README": readme, "rows.jsonl": b"{}\n"})
    data, ai_label, base, label = (f"{letter * 32}.dir" for letter in "abcd")
    stages = [
        Made("data", data, 1, {"inputs/data": empty, "inputs/real": real}),
        Made("base", base, 1, {"artifacts/data": data}, params={"seed": 7, "base": {"source": "scratch"}}),
        Made("ai_label", ai_label, 1, {"inputs/only": "e" * 32}, params={"ai_label": {"judges": []}}),
        Made("label", label, 1, {"artifacts/ai_label": ai_label, "artifacts/base": base, "inputs/data": empty}),
    ]
    project.run("calm", stages)
    family = told(project, "calm").family
    assert [member.name for member in family.members.values()] == ["label", "base", "data", "inputs/real"]
    assert not any(name in "\n".join(tree_lines(family)) for name in ("inputs/data", "ai_label", "inputs/only"))
    assert "\n  from scratch, seed 7\n" in page(told(project, "calm"))
    with closing(Index(project.path)) as index:
        whole = family_of(index, find_model(project.path, index, "calm"))
    assert {"inputs/data", "inputs/only", "ai_label"} < {member.name for member in whole.members.values()}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"seed": 3, "base": {"source": "scratch", "model": "", "revision": ""}}, "from scratch, seed 3"),
        ({"base": {"source": "hub", "model": "small/model", "revision": "c0ffee"}}, "small/model@c0ffee"),
        ({"base": {"source": "folder", "model": "/home/ada/small", "revision": "abc"}}, "small@abc"),
    ],
)
def test_a_base_model_tells_where_it_comes_from(settings: dict[str, object], words: str) -> None:
    assert base_origin(settings) == words


def test_each_artifact_tells_its_run_its_settings_and_its_labellers(tmp_path: Path) -> None:
    project = FamilyProject(tmp_path / "project")
    verdicts = [{"annotator": name} for name in ("ben", "ada", "ada")]
    label = project.artifact("label", {"verdicts.jsonl": "\n".join(map(json.dumps, verdicts)).encode()})
    first = Made("label", label, 3, {}, params={"label": {"overlap_share": 0.5, "source": "simulated"}})
    project.run("one", [first])
    reward = project.artifact("reward", {"model.safetensors": b"r"})
    project.run("two", [first, Made("reward", reward, 4, {"artifacts/label": label})], ran=["reward"])
    facts = told(project, "two", {"label": {"overlap_share": 0.1, "source": "simulated"}}).facts
    assert facts[reward].made_by == "two"
    assert facts[label].made_by == "one"
    assert facts[label].settings == {"label.overlap_share": (0.1, 0.5)}
    assert facts[label].labellers == {"ada": 2, "ben": 1}
    assert "labelled by ada (2), ben (1)" in page(told(project, "two"))


def test_a_policy_that_began_from_an_earlier_round_goes_on_into_that_round(tmp_path: Path) -> None:
    project = FamilyProject(tmp_path / "project")
    first = [Made("data", "a" * 32, 1, {}), Made("ppo", "b" * 32, 1, {"artifacts/data": "a" * 32})]
    project.run("round-1", first)
    second = [
        Made("base", "c" * 32, 1, {"inputs/policy": "b" * 32}),
        Made("ppo", "d" * 32, 1, {"artifacts/base": "c" * 32}),
    ]
    project.run("round-2", second)
    family = told(project, "round-2").family
    assert list(family.members) == ["d" * 32, "c" * 32, "b" * 32, "a" * 32]
    runs = [member.run.name for member in family.members.values() if member.run]
    assert runs == ["round-2", "round-2", "round-1", "round-1"]


def test_labels_that_name_nobody_are_counted_too(tmp_path: Path) -> None:
    project = FamilyProject(tmp_path / "project")
    rows = {"verdicts.jsonl": b"", "comparisons.jsonl": b'{"chosen": "a"}\n{"chosen": "b", "annotator": "ada"}\n'}
    label = project.artifact("label", rows)
    project.run("own", [Made("label", label, 3, {})])
    assert told(project, "own").facts[label].labellers == {"ada": 1, "unnamed": 1}


def test_a_taint_is_told(tmp_path: Path) -> None:
    project = FamilyProject(tmp_path / "project")
    data, ppo = "a" * 32, "b" * 32
    project.run("calm", [Made("data", data, 1, {}), Made("ppo", ppo, 1, {"artifacts/data": data})])
    Tombstones(project.path).add("forget", {"act": "forget"}, {data: "a request of May", ppo: "made from data"}, {})
    assert [fact.taint for fact in told(project, "calm").facts.values()] == ["made from data", "a request of May"]
    assert "TAINTED: a request of May" in page(told(project, "calm"))
    assert "<strong>a request of May</strong>" in trace_html(told(project, "calm"))


@pytest.mark.parametrize("seed", range(5))
def test_a_family_is_what_walking_every_lock_finds(tmp_path: Path, seed: int) -> None:
    """Random families of twelve runs; the brute-force answer follows the parents in the runs' locks alone."""
    project, parents = random_history(tmp_path / "project", seed, runs=12)
    with closing(Index(project.path)) as index:
        for run in index.runs():
            root = run.trailers["Policy"].partition("=")[2]
            family = family_of(index, find_model(project.path, index, run.name))
            assert set(family.members) == closure(root, parents)
