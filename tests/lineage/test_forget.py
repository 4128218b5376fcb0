"""A request to delete data: found in every version, cleaned, tombstoned, tainted, and purged for good."""

import json
import random
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from stemma.cli import main
from stemma.errors import SettingsError
from stemma.forgetting.forget import Request, apply
from stemma.forgetting.forget_page import outcome_page, plan_page, purge_page
from stemma.forgetting.purge import Purged, purge, purge_copies
from stemma.forgetting.wanted import Annotator, Record, Subject, Wanted
from stemma.judging.answer_cache import CACHE, open_cache
from stemma.lineage.forgotten import FORGOTTEN, Tombstones, taints
from stemma.lineage.index import Index
from stemma.lineage.registry import Registry
from stemma.lineage.served import copy_of as served_copy
from stemma.lineage.served import link_of
from stemma.lineage.store import Place, Store
from stemma.records.own_data import ID_LENGTH
from stemma.records.splits import prompt_digest
from stemma.records.types import Message
from stemma.stage.manifest import verify_manifest
from tests.family import FamilyProject, Made, copy_of, md5
from tests.history import closure
from tests.killing import Write, killed_before

WHY = "asked for by letter 17"
ASK = "Where does Zoë Lindqvist live?"
ASK_ID = prompt_digest((Message(role="user", content=ASK),))[:ID_LENGTH]
RAW = [
    {"prompt": ASK, "chosen": "I may not say.", "rejected": "In Elm Street 4."},
    {"prompt": "Who was first?", "chosen": "Ada.", "rejected": "Zoëlle Lindqvistson."},
    {"prompt": "And then?", "chosen": "zoe\u0308  LINDQVIST.", "rejected": "Nobody."},
]
PROMPTS = [{"id": ASK_ID, "messages": [{"role": "user", "content": ASK}], "split": "train"},
           {"id": "b" * 16, "messages": [{"role": "user", "content": "Who was first?"}], "split": "train"}]  # fmt: skip
DEMONSTRATIONS = [{"prompt": PROMPTS[0]["messages"], "completion": "I may not say."},
                  {"prompt": PROMPTS[1]["messages"], "completion": "Ada."}]  # fmt: skip
VERDICTS = [{"prompt_id": row["id"], "annotator": name, "first": "x", "second": "y", "choice": "tie"}
            for row, name in zip(PROMPTS, ("cleo", "ben"), strict=True)]  # fmt: skip


def lines(rows: Sequence[Mapping[str, object]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def files_of(project: FamilyProject, artifact: str) -> dict[str, bytes]:
    listed = json.loads(project.place(artifact).read_bytes())
    return {item["relpath"]: project.place(item["md5"]).read_bytes() for item in listed}


@contextmanager
def asking(project: FamilyProject, wanted: Wanted) -> Iterator[Request]:
    with closing(Index(project.path)) as index, Store(project.path) as store:
        yield Request(project.path, index, store, wanted)


def held(project: FamilyProject, wanted: Wanted) -> dict[str, int]:
    """How many rows each file of each dataset version holds; reports count one."""
    with asking(project, wanted) as request:
        holdings = request.found.holdings
    rows = {f"{one.dataset.name} {path}": count for one in holdings for path, count in one.rows.items()}
    return rows | {f"{one.dataset.name} {path}": 1 for one in holdings for path in one.reports}


def forget(project: FamilyProject, wanted: Wanted) -> str:
    with asking(project, wanted) as request:
        return plan_page(request) + outcome_page(request, apply(request, WHY))


def purged(project: FamilyProject, wanted: Wanted) -> list[Purged]:
    with asking(project, wanted) as request:
        apply(request, WHY)
        return purge(request)


def ids(project: FamilyProject, run: str) -> dict[str, str]:
    with closing(Index(project.path)) as index:
        return {stage: one.artifact for stage, one in index.of_run(index.runs_named(run)[0].commit).items()}


def objects(cache: Path) -> dict[str, bytes]:
    return {file.parent.name + file.name: file.read_bytes() for file in cache.rglob("*") if file.is_file()}


@pytest.fixture
def project(made: FamilyProject, tmp_path: Path) -> FamilyProject:
    return copy_of(made, tmp_path / "project")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> FamilyProject:
    """`calm` goes from a raw file to ppo, which is policy@champion; `other` is of other data."""
    project = FamilyProject(tmp_path_factory.mktemp("made") / "project")
    raw = project.put(lines(RAW))
    (project.path / "inputs").mkdir()
    (project.path / "inputs" / "pairs.jsonl.dvc").write_text(f"outs:\n- md5: {raw}\n  hash: md5\n  path: pairs.jsonl\n")
    project.git.run("add", "inputs")
    project.git.run("commit", "--quiet", "--message", "raw data")
    folder = "d" * 32 + ".dir"
    tables = {
        "prompts.jsonl": lines(PROMPTS),
        "demonstrations.jsonl": lines(DEMONSTRATIONS),
        "corpus.jsonl": b'{"text":"x"}\n',
    }
    data = Made("data", project.artifact("data", tables), 9, {"inputs": folder})
    told = json.dumps({"annotators": {"ben": 1, "cleo": 1}}).encode()
    label = project.artifact(
        "label",
        {"verdicts.jsonl": lines(VERDICTS), "report.json": told},
        {"data": project.manifest_sha256(data.artifact)},
    )
    labels = Made("label", label, 9, {"artifacts/data": data.artifact})
    base = Made("base", project.artifact("base", {"model.safetensors": b"base"}), 9, {"artifacts/data": data.artifact})
    ppo = Made(
        "ppo",
        project.artifact("ppo", {"model.safetensors": b"ppo"}),
        9,
        {"artifacts/base": base.artifact, "artifacts/label": label},
    )
    params = {
        "seed": 3,
        "data": {"files": ["inputs/pairs.jsonl"]},
        "label": {"annotators": [{"name": "ben"}, {"name": "cleo"}]},
    }
    commit = project.run("calm", [data, labels, base, ppo], params=params)
    shared = {"prompts.jsonl": lines(PROMPTS[1:]), "corpus.jsonl": b'{"text":"x"}\n'}
    project.run("other", [Made("data", project.artifact("data", shared), 9, {})])
    registry = Registry(project.path, "policy")
    registry.register("calm", commit, "ppo", ppo.artifact)
    registry.move(registry.head(), "promote", {"act": "promote", "moves": {"champion": 1}})
    return project


ZOE = Subject("Zoë Lindqvist")
SOUGHT: list[tuple[Wanted, dict[str, int]]] = [
    (ZOE, {"inputs inputs/pairs.jsonl": 2, "data prompts.jsonl": 1, "data demonstrations.jsonl": 1}),
    (Record(ASK_ID), {"inputs inputs/pairs.jsonl": 1, "data prompts.jsonl": 1, "data demonstrations.jsonl": 1,
                      "label verdicts.jsonl": 1}),
    (Record(sha256(b"I may not say.").hexdigest()), {"inputs inputs/pairs.jsonl": 1, "data demonstrations.jsonl": 1}),
    (Record(sha256(json.dumps(RAW[1], ensure_ascii=False).encode()).hexdigest()), {"inputs inputs/pairs.jsonl": 1}),
    (Annotator("cleo"), {"label verdicts.jsonl": 1, "label report.json": 1}),
    (Subject("Zoë"), {"inputs inputs/pairs.jsonl": 2, "data prompts.jsonl": 1, "data demonstrations.jsonl": 1}),
    (Subject("Lindq"), {}),
    (Annotator("Cleo"), {}),
]  # fmt: skip


def test_each_kind_of_request_finds_its_rows_in_every_dataset(project: FamilyProject) -> None:
    for wanted, expected in SOUGHT:
        assert held(project, wanted) == expected, wanted.text


def test_a_plan_tells_what_is_live_and_changes_nothing(project: FamilyProject) -> None:
    before = objects(project.cache), project.git.run("for-each-ref")
    with asking(project, ZOE) as request:
        told = plan_page(request)
    assert (objects(project.cache), project.git.run("for-each-ref")) == before
    assert f"live as champion: policy/1, ppo {ids(project, 'calm')['ppo']} of run calm" in told
    assert "inputs/pairs.jsonl 2 rows" in told
    with asking(project, Subject("Nobody Else")) as request:
        assert "None of the 4 dataset versions" in plan_page(request)


def test_cleaned_versions_lack_those_rows_and_nothing_else(project: FamilyProject, tmp_path: Path) -> None:
    forget(project, Record(ASK_ID))
    cleaned = Tombstones(project.path).cleaned
    old = ids(project, "calm")
    for stage in ("data", "label"):
        folder = tmp_path / stage
        folder.mkdir()
        for name, content in files_of(project, cleaned[old[stage]]).items():
            (folder / name).write_bytes(content)
        verify_manifest(folder)
    data, label = files_of(project, cleaned[old["data"]]), files_of(project, cleaned[old["label"]])
    assert data["prompts.jsonl"] == lines(PROMPTS[1:])
    assert data["demonstrations.jsonl"] == lines(DEMONSTRATIONS[1:])
    assert data["corpus.jsonl"] == files_of(project, old["data"])["corpus.jsonl"]
    assert label["verdicts.jsonl"] == lines(VERDICTS[1:])
    assert json.loads(label["manifest.json"])["inputs"] == {"data": sha256(data["manifest.json"]).hexdigest()}
    raw = md5(lines(RAW))
    assert project.place(cleaned[raw]).read_bytes() == lines(RAW[1:])
    copy = project.path / ".stemma" / "cleaned" / cleaned[raw][:10] / "pairs.jsonl"
    assert copy.read_bytes() == lines(RAW[1:])


def test_what_descends_is_tainted_and_to_be_trained_again(project: FamilyProject) -> None:
    printed = forget(project, Annotator("cleo"))
    calm, other = ids(project, "calm"), ids(project, "other")
    assert set(taints(project.path)) == {calm["label"], calm["ppo"]}
    (command,) = [line.strip() for line in printed.splitlines() if line.startswith("  stemma run rlhf")]
    assert command.endswith("""--set 'label.annotators=[{"name": "ben"}]'""")
    assert "--set seed=3" in command
    forget(project, ZOE)
    assert set(taints(project.path)) == {*calm.values(), "d" * 32 + ".dir"}
    assert not set(other.values()) & set(taints(project.path))


def test_a_tombstone_does_not_keep_what_is_forgotten(project: FamilyProject) -> None:
    project.git.run("config", "user.name", "Erasmus")
    forget(project, ZOE)
    told = project.git.run("log", "--first-parent", "-p", "--format=%an %B", FORGOTTEN)
    assert WHY in told
    assert "Erasmus" in told
    for secret in ("Lindqvist", "Zo", sha256(b"Zo\xc3\xab Lindqvist").hexdigest(), md5("Zoë Lindqvist".encode())):
        assert secret not in told
    with asking(project, Annotator("cleo")) as request, pytest.raises(SettingsError, match="word it otherwise"):
        apply(request, "cleo asked for it")


def test_asked_twice_nothing_is_done_twice(project: FamilyProject) -> None:
    forget(project, ZOE)
    once = objects(project.cache), project.git.run("for-each-ref", FORGOTTEN)
    assert "Nothing new" in forget(project, ZOE)
    assert (objects(project.cache), project.git.run("for-each-ref", FORGOTTEN)) == once
    for new in Tombstones(project.path).cleaned.values():
        project.place(new).unlink()
    forget(project, ZOE)
    assert objects(project.cache) == once[0], "what another clone cleaned is cleaned here too"


def test_a_later_run_of_tainted_data_is_tainted_when_asked_again(project: FamilyProject) -> None:
    forget(project, ZOE)
    data = Made("data", ids(project, "calm")["data"], 9, {"inputs": "d" * 32 + ".dir"})
    late = Made("base", project.artifact("base", {"model.safetensors": b"late"}), 9, {"artifacts/data": data.artifact})
    project.run("late", [data, late])
    assert late.artifact not in taints(project.path)
    forget(project, ZOE)
    assert late.artifact in taints(project.path)


def test_a_second_request_cleans_the_cleaned_version(project: FamilyProject) -> None:
    forget(project, ZOE)
    forget(project, Subject("ada"))
    old, cleaned = ids(project, "calm")["data"], Tombstones(project.path).cleaned
    newest = cleaned[cleaned[old]]
    assert files_of(project, newest)["demonstrations.jsonl"] == b""
    raw = project.place(cleaned[cleaned[md5(lines(RAW))]]).read_bytes()
    assert raw == b""


def add_remote(project: FamilyProject, remote: Path) -> Path:
    config = project.path / ".dvc" / "config"
    config.write_text(f"[core]\n    remote = store\n['remote \"store\"']\n    url = {remote}\n")
    shutil.copytree(project.cache, remote / "files" / "md5")
    return remote / "files" / "md5"


def test_a_purge_leaves_the_text_nowhere_and_the_rest_whole(project: FamilyProject, tmp_path: Path) -> None:
    remote = add_remote(project, tmp_path / "remote")
    entry = project.path / ".dvc" / "cache" / "runs" / "ab" / "key" / "value"
    entry.parent.mkdir(parents=True)
    entry.write_text(f"cmd: x\ndeps: []\nouts:\n- path: artifacts/data\n  md5: {ids(project, 'calm')['data']}\n")
    with open_cache(project.path / ".stemma" / CACHE) as cache:
        cache.keep({"a question": {"text": "Zoe Lindqvist? I would rather say nothing."}})
    before = objects(project.cache)
    assert [one.objects for one in purged(project, ZOE)] == [5, 5]
    assert not (project.path / ".stemma" / CACHE).exists()
    for place in (project.cache, remote):
        left = objects(place)
        assert not [oid for oid, content in left.items() if "Lindqvist?" in content.decode()]
        assert set(files_of(project, ids(project, "other")["data"]).values()) <= set(left.values())
        assert before[ids(project, "calm")["ppo"]] == left[ids(project, "calm")["ppo"]]
        assert set(Tombstones(project.path).cleaned.values()) <= set(left)
    assert not entry.exists()
    assert ids(project, "calm")["data"] in taints(project.path), "hashes stay"
    head = project.git.run("for-each-ref", FORGOTTEN)
    assert [one.objects for one in purged(project, ZOE)] == [0, 0]
    assert project.git.run("for-each-ref", FORGOTTEN) == head


def test_a_purge_takes_the_copies_of_tainted_models_that_no_alias_serves(project: FamilyProject) -> None:
    calm, other = ids(project, "calm"), ids(project, "other")
    champion, tainted, clean = (
        served_copy(project.path, artifact) for artifact in (calm["ppo"], calm["base"], other["data"])
    )
    for folder in (champion, tainted, clean):
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(b"weights")
    link = link_of(project.path, "policy", "champion")
    link.parent.mkdir()
    link.symlink_to(champion)
    with asking(project, ZOE) as request:
        apply(request, WHY)
        printed = purge_page(request, purge(request), purge_copies(request))
    assert not tainted.exists()
    assert clean.exists(), "it does not descend from what was forgotten"
    assert champion.exists(), "it is served until a retrained model takes its place"
    assert "serving/: 1 copy of tainted models, 7 B" in printed
    assert f"serving/policy/champion serves {calm['ppo']}, which is tainted, until another model is promoted" in printed


def test_killed_at_any_step_the_same_command_completes_it(project: FamilyProject, tmp_path: Path) -> None:
    whole = copy_of(project, tmp_path / "whole")
    purged(whole, ZOE)
    for calls in (0, 2, 4):
        assert killed_before(calls, lambda: forget(project, ZOE), Write(Place, "put"))
        assert not project.git.run("for-each-ref", FORGOTTEN), "nothing is said before all is there"
    for calls in (0, 2):
        assert killed_before(calls, lambda: purged(project, ZOE), Write(Place, "delete"))
    purged(project, ZOE)
    assert objects(project.cache) == objects(whole.cache)
    acts = [[link.act["act"] for link in Tombstones(one.path).acts()] for one in (project, whole)]
    assert acts == [["forget", "purge"]] * 2


@pytest.mark.parametrize("seed", range(3))
def test_in_random_histories_a_purge_takes_all_of_it_and_nothing_else(tmp_path: Path, seed: int) -> None:
    """The brute-force answer reads every object and follows each artifact's parents as they were made."""
    chance = random.Random(seed)  # noqa: S311 -- a test's dice
    project = FamilyProject(tmp_path / "project")
    parents: dict[str, set[str]] = {}
    for number in range(8):
        stages: list[Made] = []
        for stage in chance.sample(["data", "sample", "label", "base"], 3):
            files = {f"{place}.jsonl": _random_rows(chance, number) for place in range(2)}
            if stage == "base":
                files = {"model.safetensors": f"{number}".encode()}
            inputs = {f"inputs/{oid[:6]}": oid for oid in parents if chance.random() < 0.15}
            artifact = project.folder(files)
            if artifact not in parents:
                parents[artifact] = set(inputs.values())
                stages.append(Made(stage, artifact, 1, inputs))
        project.run(f"run-{number}", stages)
    before = objects(project.cache)
    holders = {artifact for artifact in parents if any(b"Mallory" in c for c in files_of(project, artifact).values())}
    assert holders
    tainted = {artifact for artifact in parents if closure(artifact, parents) & holders}
    protected = {oid for artifact in set(parents) - tainted for oid in _objects_of(project, artifact)}
    going = {oid for artifact in holders for oid in _objects_of(project, artifact)}
    purged(project, Subject("Mallory"))
    assert set(taints(project.path)) == tainted
    cleaned = {oid for new in Tombstones(project.path).cleaned.values() for oid in _objects_of(project, new)}
    left = objects(project.cache)
    assert set(before) - set(left) == going - protected - cleaned
    assert not [oid for oid, content in left.items() if b"Mallory" in content]


def _random_rows(chance: random.Random, number: int) -> bytes:
    people = chance.choices(["Alice", "Bob", "Mallory"], weights=[6, 6, 1], k=3)
    return lines([{"text": f"{person} of {number if chance.random() < 0.3 else 'all'}"} for person in people])


def _objects_of(project: FamilyProject, artifact: str) -> set[str]:
    return {artifact, *(item["md5"] for item in json.loads(project.place(artifact).read_bytes()))}


def test_by_command(
    project: FamilyProject, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project.path)
    for words in (["--plan", "--purge"], ["--apply"]):
        assert main(["forget", "--record", ASK_ID, *words]) == 2
    assert main(["forget", "--subject", " ", "--plan"]) == 2
    assert "nothing is named" in capsys.readouterr().err
    assert main(["forget", "--annotator", "nobody", "--plan"]) == 2
    assert "no annotator is named 'nobody'; on record:" in capsys.readouterr().err
    assert main(["forget", "--subject", ZOE.text, "--plan"]) == 0
    assert "Nothing was changed" in capsys.readouterr().out
    assert not taints(project.path)
    assert main(["forget", "--subject", ZOE.text, "--apply", "--purge", "--reason", WHY]) == 0
    printed = capsys.readouterr().out
    assert "stemma run rlhf --set seed=3 --set 'data.files=[\".stemma/cleaned/" in printed
    assert "the DVC cache: 5 objects" in printed
    assert taints(project.path)
