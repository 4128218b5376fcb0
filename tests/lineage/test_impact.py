"""What came of something: forward over every run, and the names by which it may be asked for."""

import hashlib
import json
import random
import shutil
from collections.abc import Callable
from contextlib import closing
from copy import copy
from pathlib import Path

import pytest

from stemma.cli import main
from stemma.errors import WorkspaceError
from stemma.lineage.git import Git
from stemma.lineage.impact import Impact, as_json, impact, page
from stemma.lineage.index import Index
from stemma.lineage.registry import Registry
from stemma.lineage.sources import Source, find_labeller, find_record, find_source
from stemma.lineage.store import Store
from tests.family import FamilyProject, Made, md5
from tests.history import STAGES, closure, random_history

Find = Callable[[Index, Store], Source]


def asked(project: FamilyProject, find: Find) -> Impact:
    with closing(Index(project.path)) as index, Store(project.path) as store:
        return impact(project.path, index, find(index, store))


def of(project: FamilyProject, name: str) -> Impact:
    return asked(project, lambda index, _: find_source(project.path, index, name))


def said_by(project: FamilyProject, kind: str, name: str) -> Impact:
    assert kind in {"annotator", "judge"}
    return asked(project, lambda index, store: find_labeller(project.path, index, store, kind, name))  # type: ignore[arg-type]


def record(project: FamilyProject, name: str) -> Impact:
    return asked(project, lambda index, store: find_record(project.path, index, store, name))


def reached(told: Impact) -> set[str]:
    return {one.artifact for one in (*told.begins, *told.artifacts)}


def rows(*values: object) -> bytes:
    return "".join(json.dumps(value) + "\n" for value in values).encode()


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def project(template: FamilyProject, tmp_path: Path) -> FamilyProject:
    """A copy of the project, to be changed at will."""
    project = copy(template)
    project.path = tmp_path / "project"
    project.git = Git(project.path)
    shutil.copytree(template.path, project.path)
    return project


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> FamilyProject:
    """Two runs: `calm` made everything, `wild` another policy from the same labels; beside them `odd`, of other data.

    tasks/ppo.py changed between `calm` and `wild`.
    """
    project = FamilyProject(tmp_path_factory.mktemp("impact") / "project")
    data = project.artifact(
        "data",
        {"prompts.jsonl": rows({"id": "p-1", "messages": [{"role": "user", "content": "Wer?"}]}, {"id": "p-2"})},
    )
    other = project.artifact("data", {"prompts.jsonl": rows({"id": "p-2"})})
    label = project.artifact(
        "label",
        {"verdicts.jsonl": rows({"prompt_id": "p-1", "annotator": "ada"}, {"prompt_id": "p-1", "judge": "opus"})},
    )
    commits = []
    for name, raw in (("calm", data), ("wild", data), ("odd", other)):
        code = put_code(project, "tasks/ppo.py", "one" if name == "calm" else "two")
        ppo = project.artifact("ppo", {"model.safetensors": name.encode()})
        labelled = [Made("label", label, 3, {"artifacts/data": data})] if name != "odd" else []
        inputs = {"artifacts/data": raw, **({"artifacts/label": label} if labelled else {})}
        stages = [Made("data", raw, 3, {"inputs": "0" * 32 + ".dir"}), *labelled, Made("ppo", ppo, 4, inputs, code)]
        commits.append(project.run(name, stages, ran=["ppo"] if name == "wild" else None))
        Registry(project.path, "policy").register(name, commits[-1], "ppo", ppo)
    registry = Registry(project.path, "policy")
    registry.move(registry.head(), "promote", {"act": "promote", "moves": {"champion": 1}})
    return project


def put_code(project: FamilyProject, path: str, text: str) -> dict[str, str]:
    """Commit a code file, so that the next run's tree holds it; returns what its stage depends on."""
    file = project.path / path
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    project.git.run("add", path)
    project.git.run("commit", "--quiet", "--allow-empty", "--message", f"{path}: {text}")
    return {path: md5(text.encode())}


def versions(told: Impact) -> list[str]:
    return [one.title for one in told.versions]


def test_live_versions_come_first_and_each_tells_its_run(project: FamilyProject) -> None:
    with closing(Index(project.path)) as index:
        data = index.run(Registry(project.path, "policy").read().versions[1].commit).lock["data"]["outs"][0]["md5"]
    told = of(project, data)
    assert versions(told) == ["policy/1", "policy/2"]
    shown = page(told)
    assert "policy/1 (champion): ppo" in shown
    assert shown.index("policy/1 (champion)") < shown.index("policy/2") < shown.index("It begins in")
    assert [(one["run"], one["live"]) for one in as_json(told)["versions"]] == [("calm", True), ("wild", False)]


def test_a_model_is_named_like_anywhere_else_and_counts_itself(project: FamilyProject) -> None:
    assert versions(of(project, "policy@champion")) == ["policy/1"]
    assert versions(of(project, "policy/2")) == ["policy/2"]
    assert versions(of(project, "odd")) == ["policy/3"]


def test_raw_data_reaches_all_that_was_made_of_it(project: FamilyProject) -> None:
    told = of(project, "0000")
    assert versions(told) == ["policy/1", "policy/3", "policy/2"]
    assert not told.begins
    assert len(told.artifacts) == 6


def test_a_file_of_raw_data_is_found_by_its_own_id(project: FamilyProject) -> None:
    pairs = project.put(rows({"id": "row-17", "text": "Guten Tag"}))
    (project.path / "inputs").mkdir()
    listed = f"outs:\n- md5: {pairs}\n  size: 30\n  hash: md5\n  path: pairs.jsonl\n"
    tracked = put_code(project, "inputs/pairs.jsonl.dvc", listed)["inputs/pairs.jsonl.dvc"]
    content = [{"md5": pairs, "relpath": "pairs.jsonl"}, {"md5": tracked, "relpath": "pairs.jsonl.dvc"}]
    raw = md5(json.dumps(content, sort_keys=True).encode()) + ".dir"
    data = project.artifact("data", {"prompts.jsonl": rows({"id": "x"})})
    project.run("own", [Made("data", data, 3, {"inputs": raw})])
    assert reached(of(project, pairs)) == {data}
    assert reached(record(project, "row-17")) == {data}
    assert reached(record(project, sha256("Guten Tag"))) == {data}


def test_a_record_is_found_by_its_id_and_by_the_hash_of_its_text(project: FamilyProject) -> None:
    one, both = record(project, "p-1"), record(project, "p-2")
    assert versions(one) == ["policy/1", "policy/2"]
    assert versions(both) == ["policy/1", "policy/3", "policy/2"]
    assert reached(record(project, sha256("Wer?"))) == reached(one)
    assert {found.stage for found in one.begins} == {"data", "label"}


def test_rows_of_one_id_that_differ_are_all_followed_and_listed(project: FamilyProject) -> None:
    other = project.artifact("data", {"prompts.jsonl": rows({"id": "p-1", "text": "another"})})
    project.run("late", [Made("data", other, 3, {})])
    told = record(project, "p-1")
    assert other in reached(told)
    assert "2 different rows have this id and all are followed" in page(told)
    (one,) = [sha256 for sha256, row in told.source.rows if "another" in row]
    assert one in page(told)
    assert reached(record(project, one)) == {other}
    assert "different rows" not in page(record(project, "p-2"))


def test_whoever_labelled_is_found(project: FamilyProject) -> None:
    assert versions(said_by(project, "annotator", "ada")) == ["policy/1", "policy/2"]
    assert versions(said_by(project, "judge", "opus")) == ["policy/1", "policy/2"]
    with pytest.raises(WorkspaceError, match="no annotator is named 'opus'; on record: ada"):
        said_by(project, "annotator", "opus")


def test_what_could_not_be_searched_is_said(project: FamilyProject) -> None:
    lost = project.artifact("label", {"verdicts.jsonl": rows({"annotator": "ben"})})
    project.run("late", [Made("label", lost, 3, {})])
    place = project.place(md5(rows({"annotator": "ben"})))
    place.unlink()
    assert f"\nNot searched, for their bytes are neither in the DVC cache nor on its remote\n  {lost}" in page(
        said_by(project, "annotator", "ada")
    )
    with pytest.raises(WorkspaceError, match=f"2 artifacts or raw inputs were not searched.*{lost}"):
        record(project, "p-3")


def test_a_code_file_reaches_what_was_made_with_it_as_it_was_then(project: FamilyProject) -> None:
    head = project.git.run("rev-parse", "HEAD")
    first = project.git.run("log", "--format=%H", "--grep", "tasks/ppo.py: one")
    assert versions(of(project, f"tasks/ppo.py@{first}")) == ["policy/1"]
    assert versions(of(project, f"tasks/ppo.py@{head[:9]}")) == ["policy/3", "policy/2"]
    put_code(project, "tasks/ppo.py", "three")
    assert reached(of(project, "tasks/ppo.py@HEAD")) == set()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("clam", ["'clam' is not a run", "calm"]),
        ("params.yaml", ["params.yaml is a file", "params.yaml@HEAD"]),
        ("polcy@champion", ["no registered model is named 'polcy'", "policy"]),
        ("policy@champ", ["there is no policy@champ", "policy@champion"]),
        ("tasks/ppo.py@1234567", ["there is no commit '1234567' in this clone"]),
        ("tasks/ppq.py@HEAD", ["commit HEAD has no file tasks/ppq.py"]),
        ("dvc.yaml@HEAD", ["no run on record depends on dvc.yaml as code"]),
        ("ffff", ["'ffff' is not a run"]),
    ],
)
def test_a_wrong_name_says_what_there_is(project: FamilyProject, name: str, words: list[str]) -> None:
    with pytest.raises(WorkspaceError) as error:
        of(project, name)
    for word in words:
        assert word in str(error.value)


def test_a_name_with_two_meanings_lists_both(project: FamilyProject) -> None:
    raw = "0000" + "1" * 28
    project.run("0000", [Made("data", "9" * 32, 3, {"inputs": raw})])
    with pytest.raises(WorkspaceError) as error:
        of(project, "0000")
    for meaning in ("can mean 3 things", f"data of run 0000, {'9' * 32}", f"inputs, {raw}", f"inputs, {'0' * 32}.dir"):
        assert meaning in str(error.value)
    assert reached(of(project, raw)) == {"9" * 32}


def test_a_shallow_clone_says_how_to_fetch_the_rest(project: FamilyProject, tmp_path: Path) -> None:
    first = project.git.run("log", "--format=%H", "--grep", "tasks/ppo.py: one")
    clone = Git(tmp_path / "clone")
    project.git.run("clone", "--quiet", "--depth=1", f"file://{project.path}", str(clone.root))
    clone.run("fetch", "--quiet", "--depth=1", "origin", "refs/exps/*:refs/exps/*", "refs/stemma/*:refs/stemma/*")
    with closing(Index(clone.root)) as index:
        for name in (f"tasks/ppo.py@{first}", "policy@champion"):
            with pytest.raises(WorkspaceError, match=r"shallow clone.*git fetch --unshallow origin"):
                find_source(clone.root, index, name)
    clone.run("fetch", "--quiet", "--unshallow", "origin", "refs/stemma/*:refs/stemma/*")
    with closing(Index(clone.root)) as index:
        for name in (f"tasks/ppo.py@{first}", "policy@champion"):
            assert versions(impact(clone.root, index, find_source(clone.root, index, name))) == ["policy/1"]


def test_the_command_prints_json_and_a_wrong_name_is_no_traceback(
    project: FamilyProject, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project.path)
    assert main(["impact", "--annotator", "ada", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in told["versions"]] == ["policy/1", "policy/2"]
    assert {one["stage"] for one in told["artifacts"]} == {"label", "ppo"}
    assert main(["impact", "clam"]) == 2
    assert capsys.readouterr().err.startswith("stemma: 'clam' is not a run")


@pytest.mark.parametrize("seed", range(4))
def test_impact_is_what_walking_every_lock_finds(tmp_path: Path, seed: int) -> None:
    """Random histories in which runs share stages, and the same bytes come about in several ways."""
    project, parents = random_history(tmp_path / "project", seed, runs=8)
    add_other_ways(project, parents, random.Random(seed))  # noqa: S311 -- a test's dice
    children = inverted(parents)
    aliases = register_some(project, seed)
    with closing(Index(project.path)) as index:
        for oid in {*parents, *children}:
            told = impact(project.path, index, Source("", (oid,)))
            expected = closure(oid, children)
            assert {one.artifact for one in told.artifacts} == expected - {oid}
            assert {one.artifact for one in told.begins} == {oid} & set(parents)
            registered = Registry(project.path, "policy").read().versions.values()
            wanted = {version.number for version in registered if version.artifact in expected}
            assert {one.version.number for one in told.versions} == wanted
            live = [bool(one.aliases) for one in told.versions]
            assert live == sorted(live, reverse=True)
            assert {one.version.number for one in told.versions if one.aliases} == wanted & aliases


def add_other_ways(project: FamilyProject, parents: dict[str, set[str]], chance: random.Random) -> None:
    """Runs that restore stages of earlier runs, and make some of the same bytes from other inputs."""
    known = sorted(parents)
    for number in range(4):
        stages = []
        for stage in STAGES:
            oid, others = chance.choice(known), set(chance.sample(known, 2))
            stages.append(Made(stage, oid, 1, {f"inputs/{other[:6]}": other for other in others}))
            parents[oid] = parents[oid] | others
        project.run(f"again-{number}", stages, ran=[])


def inverted(parents: dict[str, set[str]]) -> dict[str, set[str]]:
    children: dict[str, set[str]] = {}
    for child, found in parents.items():
        for parent in found:
            children.setdefault(parent, set()).add(child)
    return children


def register_some(project: FamilyProject, seed: int) -> set[int]:
    """Register every other run's policy; aliases point to the first and the last. Returns their versions."""
    registry = Registry(project.path, "policy")
    with closing(Index(project.path)) as index:
        for run in index.runs()[seed % 2 :: 2]:
            stage, _, artifact = run.trailers["Policy"].partition("=")
            registry.register(run.name, run.commit, stage, artifact)
    last = max(registry.read().versions)
    registry.move(registry.head(), "promote", {"act": "promote", "moves": {"champion": last, "previous": 1}})
    return {1, last}


def test_a_chain_of_many_rounds_is_followed_to_its_end(tmp_path: Path) -> None:
    """Deeper than Python's recursion goes."""
    project = FamilyProject(tmp_path / "project")
    rounds = [md5(str(number).encode()) for number in range(1100)]
    later = [Made(f"ppo_{n}", rounds[n], 1, {"artifacts/ppo": rounds[n - 1]}) for n in range(1, len(rounds))]
    project.run("long", [Made("ppo_0", rounds[0], 1, {}), *later])
    assert [one.artifact for one in of(project, rounds[0]).artifacts] == rounds[1:]
