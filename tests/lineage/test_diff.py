"""Why two models differ: where their trees part, and what is different there."""

import json
import random
import shutil
from collections.abc import Mapping
from contextlib import closing
from copy import copy
from pathlib import Path

import pytest

from stemma.cli import main
from stemma.lineage.diff import Diff, Difference, diff
from stemma.lineage.diff_page import as_json, page
from stemma.lineage.git import Git
from stemma.lineage.index import Index
from stemma.lineage.names import find_model
from stemma.lineage.store import Store
from tests.family import FamilyProject, Made, md5

RAW = "0" * 32 + ".dir"


def told(project: FamilyProject, a: str, b: str) -> Diff:
    with closing(Index(project.path)) as index, Store(project.path) as store:
        models = (find_model(project.path, index, a), find_model(project.path, index, b))
        return diff(project.path, index, store, *models)


def names(differences: list[Difference]) -> list[str]:
    return [one.pair.a.name for one in differences]


def rows(*numbers: int) -> bytes:
    return "".join(json.dumps({"id": number}) + "\n" for number in numbers).encode()


def put_code(project: FamilyProject, path: str, text: str) -> dict[str, str]:
    """Commit a code file, so that the next run's tree holds it; returns what its stage depends on."""
    file = project.path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    project.git.run("add", path)
    project.git.run("commit", "--quiet", "--allow-empty", "--message", path)
    return {path: md5(text.encode())}


class Rlhf:
    """A run of four stages, each part of which can be changed."""

    def __init__(self, project: FamilyProject) -> None:
        self.project = project
        self.raw = RAW
        self.data = {"prompts.jsonl": rows(1, 2, 3), "report.json": b"{}"}
        self.settings: dict[str, dict[str, object]] = {"sft": {"lr": 0.1}, "reward": {"lr": 0.1}, "ppo": {"kl": 0.1}}
        self.code: dict[str, Mapping[str, str]] = {}
        self.extra: dict[str, str] = {}
        """Another input of ppo."""

    def run(self, name: str, metrics: Mapping[str, float] | None = None) -> None:
        """Record it; an artifact's bytes follow from everything that it is made from."""
        made = [Made("data", self.project.artifact("data", self.data), 3, {"inputs": self.raw})]
        for stage, inputs in (("sft", ["data"]), ("reward", ["data", "sft"]), ("ppo", ["sft", "reward"])):
            by_name = {one.stage: one.artifact for one in made}
            ids = {f"artifacts/{other}": by_name[other] for other in inputs} | (self.extra if stage == "ppo" else {})
            code, settings = dict(self.code.get(stage, {})), {stage: self.settings[stage], "seed": 0}
            content = repr((stage, sorted(ids.items()), sorted(code.items()), settings)).encode()
            artifact = self.project.artifact(stage, {"model.safetensors": content})
            made.append(Made(stage, artifact, 4, ids, code, settings))
        self.project.run(name, made, metrics={"ppo": metrics or {}})


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> FamilyProject:
    return FamilyProject(tmp_path_factory.mktemp("diff") / "project")


@pytest.fixture
def rlhf(template: FamilyProject, tmp_path: Path) -> Rlhf:
    project = copy(template)
    project.path = tmp_path / "project"
    project.git = Git(project.path)
    shutil.copytree(template.path, project.path)
    return Rlhf(project)


def test_a_setting_is_where_the_trees_part_and_the_rest_follows(rlhf: Rlhf) -> None:
    rlhf.run("calm", {"win": 0.5, "kl": 2.0})
    rlhf.settings["reward"] = {"lr": 0.2, "epochs": 3}
    rlhf.run("wild", {"win": 0.75, "kl": 2.0})
    found = told(rlhf.project, "calm", "wild")
    assert names(found.partings) == ["reward"]
    assert found.partings[0].settings == {"reward.lr": {"a": 0.1, "b": 0.2}, "reward.epochs": {"b": 3}}
    assert [(one.pair.a.name, one.follows, one.own) for one in found.differences[1:]] == [("ppo", ("reward",), False)]
    shown = page(found)
    assert "    reward.lr: 0.1 | 0.2\n    reward.epochs: – | 3\n" in shown
    assert "  ppo win  0.5  0.75\n  1 more are the same" in shown


def test_what_follows_is_told_where_it_differs_in_itself_too(rlhf: Rlhf) -> None:
    rlhf.run("calm")
    rlhf.settings |= {"sft": {"lr": 0.2}, "ppo": {"kl": 0.3}}
    rlhf.run("wild")
    found = told(rlhf.project, "calm", "wild")
    assert names(found.partings) == ["sft"]
    assert names([one for one in found.differences if one.follows and one.own]) == ["ppo"]
    shown = page(found)
    order = [
        "The trees part at",
        "sft.lr",
        "What follows differs in itself too",
        "ppo.kl",
        "because of that alone",
        "reward",
    ]
    assert [shown.index(words) for words in order] == sorted(shown.index(words) for words in order)


def test_two_causes_side_by_side_are_both_named(rlhf: Rlhf) -> None:
    rlhf.run("calm")
    rlhf.raw = "1" * 32 + ".dir"
    rlhf.data["prompts.jsonl"] = rows(1, 2)
    rlhf.extra = {"inputs/prior": "2" * 32}
    rlhf.run("wild")
    found = told(rlhf.project, "calm", "wild")
    assert names(found.partings) == ["inputs"]
    assert found.differences[-1].inputs == {"inputs/prior": {"b": "2" * 32}}
    assert f"    input inputs/prior only in b: {'2' * 32}\n" in page(found)


def test_rows_added_and_removed_are_counted_and_shown_whatever_their_order(rlhf: Rlhf) -> None:
    rlhf.data["prompts.jsonl"] = rows(*range(10), 7)
    rlhf.data["texts.jsonl"] = rows(1, 2)
    rlhf.run("calm")
    rlhf.data["prompts.jsonl"] = rows(*range(20, 25), *range(9, 1, -1))
    rlhf.data["texts.jsonl"] = rows(2, 1)
    rlhf.run("wild")
    (data,) = told(rlhf.project, "calm", "wild").partings
    prompts, texts = data.rows
    assert (prompts.removed, prompts.added) == (3, 5)
    assert prompts.first_removed == ('{"id": 0}', '{"id": 1}', '{"id": 7}')
    assert prompts.first_added == ('{"id": 20}', '{"id": 21}', '{"id": 22}')
    assert (texts.removed, texts.added) == (0, 0)
    shown = page(told(rlhf.project, "calm", "wild"))
    assert '    rows prompts.jsonl: −3 +5\n      − {"id": 0}\n' in shown
    assert "    rows texts.jsonl: in another order\n" in shown


def test_rows_that_are_nowhere_here_are_said_to_be_missing(rlhf: Rlhf) -> None:
    rlhf.run("calm")
    rlhf.data["prompts.jsonl"] = rows(1)
    rlhf.run("wild")
    rlhf.project.place(md5(rows(1))).unlink()
    shown = page(told(rlhf.project, "calm", "wild"))
    assert (
        f"rows prompts.jsonl: not compared, for prompts.jsonl (md5 {md5(rows(1))}) is neither in the DVC cache" in shown
    )


def test_raw_files_are_compared_row_by_row(rlhf: Rlhf) -> None:
    project = rlhf.project
    for name, numbers in (("calm", (1, 2, 3)), ("wild", (2, 3, 4))):
        rlhf.raw = project.folder({"pairs.jsonl": rows(*numbers)})
        rlhf.data["prompts.jsonl"] = rows(*numbers, 9)
        rlhf.run(name)
    found = told(project, "calm", "wild")
    assert names(found.partings) == ["inputs"]
    assert [(one.file, one.first_removed, one.first_added) for one in found.partings[0].rows] == [
        ("pairs.jsonl", ('{"id": 1}',), ('{"id": 4}',))
    ]
    assert f"| data {found.differences[1].pair.b.dvc_id}  rows prompts.jsonl: −1 +1\n" in page(found)


def test_code_is_compared_between_the_runs_own_trees(rlhf: Rlhf) -> None:
    gone = put_code(rlhf.project, "stemma/gone.py", "x = 1\n")
    rlhf.code["sft"] = put_code(rlhf.project, "tasks/sft.py", "one\ntwo\n") | gone
    rlhf.run("calm")
    rlhf.code["sft"] = put_code(rlhf.project, "tasks/sft.py", "one\nthree\nfour\n")
    rlhf.run("wild")
    found = told(rlhf.project, "calm", "wild")
    (sft,) = found.partings
    told_of = {file.path: (file.removed, file.added, file.only) for file in sft.code}
    assert told_of == {"tasks/sft.py": (1, 2, ""), "stemma/gone.py": (0, 0, "a")}
    shown = page(found)
    assert "    code stemma/gone.py: only a depends on it\n    code tasks/sft.py: −1 +2 lines\n" in shown
    (look,) = [line for line in shown.splitlines() if "look: git diff" in line]
    assert "+three" in rlhf.project.git.run(*look.split()[2:])


def test_the_same_bytes_and_bytes_that_nothing_explains_are_said_so(rlhf: Rlhf) -> None:
    rlhf.run("calm")
    rlhf.run("again")
    assert "Both are the same bytes." in page(told(rlhf.project, "calm", "again"))
    made = [Made("ppo", md5(name.encode()), 1, {"inputs": RAW}) for name in ("one", "two")]
    for name, one in zip(("one", "two"), made, strict=True):
        rlhf.project.run(name, [one])
    assert "the stage does not repeat itself" in page(told(rlhf.project, "one", "two"))


def test_another_kind_of_model_parts_at_its_root(rlhf: Rlhf) -> None:
    rlhf.run("calm")
    data = Made("data", rlhf.project.artifact("data", rlhf.data), 3, {"inputs": RAW})
    rlhf.project.run("straight", [data, Made("dpo", "d" * 32, 1, {"artifacts/data": data.artifact})])
    (root,) = told(rlhf.project, "calm", "straight").partings
    assert (root.pair.a.name, root.pair.b.name) == ("ppo", "dpo")
    assert set(root.inputs) == {"artifacts/sft", "artifacts/reward", "artifacts/data"}


def test_the_command_prints_json(
    rlhf: Rlhf, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rlhf.run("calm", {"win": 0.5})
    rlhf.settings["ppo"] = {"kl": 0.2}
    rlhf.run("wild", {"win": 0.6})
    monkeypatch.chdir(rlhf.project.path)
    assert main(["diff", "calm", "wild", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [(one["a"]["name"], one["parts_here"], one["settings"]) for one in shown["differences"]] == [
        ("ppo", True, {"ppo.kl": {"a": 0.1, "b": 0.2}})
    ]
    assert shown["metrics"] == {"ppo win": {"a": 0.5, "b": 0.6}}
    assert main(["diff", "calm", "wilt"]) == 2
    assert "'wilt' is not a run" in capsys.readouterr().err


@pytest.mark.parametrize("seed", range(3))
def test_the_trees_part_where_something_was_changed(rlhf: Rlhf, seed: int) -> None:
    """Random changes: each part that changed is told of, and the partings are those that follow from no other."""
    chance = random.Random(seed)  # noqa: S311 -- a test's dice
    rlhf.run("first")
    for number in range(4):
        changed = set(chance.sample(["sft", "reward", "ppo"], chance.randint(1, 3)))
        rlhf.settings |= {stage: {"lr": f"{number} {stage}"} for stage in changed}
        rlhf.run(f"run-{number}")
        found = told(rlhf.project, "first" if number == 0 else f"run-{number - 1}", f"run-{number}")
        assert {one.pair.a.name for one in found.differences if one.own} == changed
        assert names(found.partings) == [stage for stage in ("sft", "reward", "ppo") if stage in changed][:1]
        assert as_json(found)["same_bytes"] is False
