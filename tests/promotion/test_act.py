"""Promotion and rollback on a real repository and a real cache."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from flows.acts import promote_model, roll_back_model
from stemma.errors import ArtifactError, WorkspaceError
from stemma.lineage.chain import Chain, ChainMovedError
from stemma.lineage.history import moves_of, moves_page
from stemma.lineage.names import find_model
from stemma.lineage.registering import catch_up, register_shared
from stemma.lineage.registry import Registry
from stemma.lineage.runs import find_run
from stemma.lineage.served import copy_of as copy_of_artifact
from stemma.lineage.sharing import hand_on
from stemma.promotion.act import RefusedError, promote
from stemma.promotion.move import Desk, move
from tests.family import FamilyProject, Made, copy_of
from tests.policies import MODEL, PROMPTS, Policies
from tests.promotion.acts import desk_of, promoted, rolled_back

BETTER = [1.0] * PROMPTS
BEST = [2.0] * PROMPTS


@pytest.fixture
def policies(tmp_path: Path) -> Policies:
    return Policies(FamilyProject(tmp_path / "project"))


def served(policies: Policies) -> bytes:
    return (policies.path / "serving" / MODEL / "champion" / "model.safetensors").read_bytes()


def test_promote_promote_rollback(policies: Policies) -> None:
    policies.add("good", BETTER)
    policies.add("best", BEST)
    first = promoted(policies, "good")
    assert (first.before, first.after, served(policies)) == ("", "policy/1", b"good")
    second = promoted(policies, "policy/2")
    assert (second.before, second.after, served(policies)) == ("policy/1", "policy/2", b"best")
    back = rolled_back(policies)
    assert (back.before, back.after, served(policies)) == ("policy/2", "policy/1", b"good")
    moves = moves_of(policies.path, MODEL, "champion")
    assert [(m.act, m.before, m.after) for m in moves] == [
        ("promote", "", "policy/1"),
        ("promote", "policy/1", "policy/2"),
        ("rollback", "policy/2", "policy/1"),
    ]
    assert moves[1].evidence["policy"] == Registry(policies.path, MODEL).read().versions[2].artifact
    page = moves_page(moves)
    assert "rollback  policy/2 → policy/1" in page
    assert "by Tess <tess@localhost>: answers got worse" in page


def test_previous_is_what_served_before_the_last_move(policies: Policies) -> None:
    for name, scores in (("good", BETTER), ("best", BEST)):
        policies.add(name, scores)
    registry = Registry(policies.path, MODEL)
    promoted(policies, "good")
    assert registry.read().aliases == {"champion": 1}
    promoted(policies, "best")
    assert registry.read().aliases == {"champion": 2, "previous": 1}
    rolled_back(policies)
    assert registry.read().aliases == {"champion": 1, "previous": 2}
    rolled_back(policies)
    assert registry.read().aliases == {"champion": 1, "previous": 2}
    promoted(policies, "best")
    assert registry.read().aliases == {"champion": 2, "previous": 1}


def test_the_win_rate_is_held_against_the_champion_and_not_against_sft(policies: Policies) -> None:
    policies.add("best", BEST)
    policies.add("good", BETTER)
    promoted(policies, "best")
    with pytest.raises(RefusedError, match=r"win rate: 0\.000 \[.*against the champion"):
        promoted(policies, "good")
    assert served(policies) == b"best"
    refusal = Registry(policies.path, MODEL).acts()[-1].act
    assert (refusal["act"], refusal["to"], refusal["alias"]) == ("refuse", 2, "champion")
    assert len(moves_of(policies.path, MODEL, "champion")) == 1


def test_in_a_round_the_evaluations_own_baseline_is_the_champion(policies: Policies) -> None:
    champion = policies.add("best", BEST, prompts="old")
    promoted(policies, "best")
    policies.add("next", BETTER, champion=champion.artifact)
    moved = promoted(policies, "next")
    assert (moved.before, moved.after) == ("policy/1", "policy/2")
    (gate, *_) = moves_of(policies.path, MODEL, "champion")[-1].gates
    assert gate["words"].startswith("1.000 [")
    assert "against the champion" in gate["words"]


def test_a_round_from_a_policy_that_is_champion_no_more_is_held_against_the_one_that_is(policies: Policies) -> None:
    first = policies.add("good", BETTER)
    policies.add("best", BEST)
    policies.add("late", BETTER, champion=first.artifact)
    promoted(policies, "good")
    promoted(policies, "best")
    with pytest.raises(RefusedError, match=r"win rate: 0\.000 \[.*against the champion"):
        promoted(policies, "late")


def test_an_equal_policy_is_not_better(policies: Policies) -> None:
    policies.add("good", BETTER)
    policies.add("same", BETTER)
    promoted(policies, "good")
    with pytest.raises(RefusedError, match=r"win rate: 0\.500"):
        promoted(policies, "same")


@pytest.mark.parametrize(
    ("metrics", "gate"),
    [
        ({"gold/accuracy": 0.6}, "accuracy: 0.750 → 0.600"),
        ({"gold/hallucination": 0.7}, "hallucination: 0.600 → 0.700"),
        ({"gold/refusal": 0.3}, "refusal: 0.400 → 0.300"),
        ({"objective/kl": 21.0}, "KL: 21.00 nats"),
        ({"response/length": 25.0}, "length: 12.0 → 25.0"),
    ],
)
def test_each_gate_refuses_by_name(policies: Policies, metrics: dict[str, float], gate: str) -> None:
    policies.add("bad", BETTER, metrics)
    with pytest.raises(RefusedError, match="1 of 7 gates refuse") as error:
        promoted(policies, "bad")
    assert gate in str(error.value)
    assert not (policies.path / "serving" / MODEL / "champion").exists()


def test_other_prompts_are_no_evidence_against_the_champion(policies: Policies) -> None:
    policies.add("good", BETTER)
    policies.add("other", BEST, prompts="other")
    promoted(policies, "good")
    with pytest.raises(RefusedError, match="the challenger's prompts are"):
        promoted(policies, "other")


def test_an_evaluation_of_other_bytes_is_no_evidence(policies: Policies) -> None:
    policies.add("good", BETTER)
    ppo = policies.project.artifact("ppo", {"model.safetensors": b"not evaluated"})
    commit = policies.project.run("bare", [Made("ppo", ppo, 1, {})])
    Registry(policies.path, MODEL).register("bare", commit, "ppo", ppo)
    with pytest.raises(RefusedError, match="no evaluation names the bytes of policy/2"):
        promoted(policies, "policy/2")


def test_force_passes_gates_by_and_stands_on_record(policies: Policies) -> None:
    policies.add("bad", [-1.0] * PROMPTS)
    promoted(policies, "bad", force=True)
    (move,) = moves_of(policies.path, MODEL, "champion")
    assert move.forced
    assert [gate["name"] for gate in move.gates if not gate["passed"]] == ["win rate"]


def test_an_act_without_a_reason_is_refused(policies: Policies) -> None:
    policies.add("good", BETTER)
    with desk_of(policies) as open_desk, pytest.raises(WorkspaceError, match="--reason"):
        promote(open_desk, find_model(policies.path, open_desk.index, "good"), "champion", " ")


def test_bytes_that_are_not_right_are_not_served(policies: Policies) -> None:
    version = policies.add("good", BETTER)
    files = json.loads(policies.project.place(version.artifact).read_bytes())
    damaged = policies.project.place(next(f["md5"] for f in files if f["relpath"] == "model.safetensors"))
    damaged.chmod(0o644)
    damaged.write_bytes(b"evil")
    with pytest.raises(ArtifactError, match=r"no good copy of model\.safetensors .* is in the DVC cache"):
        promoted(policies, "good")
    assert not Registry(policies.path, MODEL).read().aliases


def test_rollback_to_a_named_version_and_where_there_is_none(policies: Policies) -> None:
    for name, score in (("one", 1.0), ("two", 2.0), ("three", 3.0)):
        policies.add(name, [score] * PROMPTS)
    with pytest.raises(WorkspaceError, match="no champion to roll back from"):
        rolled_back(policies)
    promoted(policies, "one")
    with pytest.raises(WorkspaceError, match="say which version"):
        rolled_back(policies)
    promoted(policies, "two")
    promoted(policies, "three")
    assert rolled_back(policies, to=1).after == "policy/1"
    assert served(policies) == b"one"


def test_promoting_the_champion_again_moves_nothing(policies: Policies) -> None:
    policies.add("good", BETTER)
    promoted(policies, "good")
    again = promoted(policies, "good")
    assert again.before == again.after == "policy/1"
    assert len(moves_of(policies.path, MODEL, "champion")) == 1


def test_a_registration_meanwhile_does_not_stand_in_the_way(policies: Policies) -> None:
    policies.add("good", BETTER)
    with desk_of(policies) as open_desk:
        model = find_model(policies.path, open_desk.index, "good")
        late = Desk(**{**open_desk.__dict__, "verify": lambda *_: policies.add("late", BETTER)})
        promote(late, model, "champion", "why not")
    now = Registry(policies.path, MODEL).read()
    assert (now.aliases, len(now.versions)) == ({"champion": 1}, 2)


def test_a_refusal_stands_on_record_whatever_was_registered_meanwhile(policies: Policies) -> None:
    policies.add("bad", [-1.0] * PROMPTS)
    with desk_of(policies) as open_desk:
        model = find_model(policies.path, open_desk.index, "bad")
        late = Desk(**{**open_desk.__dict__, "verify": lambda *_: policies.add("late", BETTER)})
        with pytest.raises(RefusedError, match="win rate"):
            promote(late, model, "champion", "why not")
    assert [link.act["act"] for link in Registry(policies.path, MODEL).acts()] == ["register", "register", "refuse"]


def test_a_policy_that_a_kill_kept_from_being_registered_is_registered_when_it_is_promoted(policies: Policies) -> None:
    policies.add("good", BETTER)
    before = Registry(policies.path, MODEL).head()
    killed = policies.add("killed", BEST)
    newest = Registry(policies.path, MODEL).head()
    assert newest
    Registry(policies.path, MODEL).take_back(newest, before)
    assert promoted(policies, "killed").after == "policy/2"
    assert Registry(policies.path, MODEL).read().versions[2] == killed
    reward = find_run(policies.path, "killed").made["reward"]
    with pytest.raises(WorkspaceError, match="is not a version of policy"):
        promoted(policies, reward)


def test_the_clone_that_is_second_takes_its_act_back(policies: Policies, tmp_path: Path) -> None:
    policies.add("good", BETTER)
    policies.add("best", BEST)
    git = policies.project.git
    remote = tmp_path / "remote.git"
    git.run("init", "--quiet", "--bare", str(remote))
    git.run("remote", "add", "origin", str(remote))
    git.run("push", "--quiet", "origin", "main", "refs/stemma/*:refs/stemma/*", "refs/exps/*:refs/exps/*")
    subprocess.run(
        ["dvc", "remote", "add", "--default", "store", str(tmp_path / "store")], cwd=policies.path, check=True
    )
    other = Policies(policies.project)
    other.project = copy_of(policies.project, tmp_path / "other")
    with desk_of(other) as open_desk:
        model = find_model(other.path, open_desk.index, "good")
        late = Desk(**{**open_desk.__dict__, "verify": lambda *_: promoted(policies, "best")})
        with pytest.raises(ChainMovedError, match="somebody else moved refs/stemma/models/policy on Git remote origin"):
            promote(late, model, "champion", "a little late")
    assert Registry(other.path, MODEL).read().aliases == {"champion": 2}
    assert served(other) == b"best"
    with pytest.raises(RefusedError, match="against the champion"):
        promoted(other, "good")


def test_a_plain_clone_keeps_its_acts_to_itself(policies: Policies, tmp_path: Path) -> None:
    policies.add("good", BETTER)
    policies.project.git.run("remote", "add", "origin", str(tmp_path / "nowhere"))
    assert promoted(policies, "good").notes == ()


def test_a_rollback_does_not_wait_for_a_remote_that_is_down_and_a_promotion_does(
    policies: Policies, tmp_path: Path
) -> None:
    for name, scores in (("good", BETTER), ("best", BEST)):
        policies.add(name, scores)
        promoted(policies, name)
    policies.project.git.run("remote", "add", "origin", str(tmp_path / "nowhere"))
    subprocess.run(
        ["dvc", "remote", "add", "--default", "store", str(tmp_path / "store")], cwd=policies.path, check=True
    )
    back = rolled_back(policies)
    assert served(policies) == b"good"
    assert "other clones do not see this yet" in back.notes[0]
    with pytest.raises(WorkspaceError, match="Git remote origin does not answer"):
        promoted(policies, "best")


@pytest.mark.parametrize("alias", ["../../etc", "", "previous", "Latest", "v1", "V2", "a b"])
def test_an_alias_is_a_plain_name(policies: Policies, alias: str) -> None:
    policies.add("good", BETTER)
    with desk_of(policies) as open_desk, pytest.raises(WorkspaceError, match="is no alias to promote to"):
        promote(open_desk, find_model(policies.path, open_desk.index, "good"), alias, "why not")
    assert not (policies.path / "serving").exists()


def test_a_rollback_that_is_repeated_changes_nothing_more(policies: Policies) -> None:
    for name, scores in (("good", BETTER), ("best", BEST)):
        policies.add(name, scores)
        promoted(policies, name)
    assert rolled_back(policies).after == "policy/1"
    again = rolled_back(policies)
    assert (again.before, again.after) == ("policy/1", "policy/1")
    assert served(policies) == b"good"
    assert len(moves_of(policies.path, MODEL, "champion")) == 3


def test_a_version_that_is_not_there_moves_nothing(policies: Policies) -> None:
    version = policies.add("good", BETTER)
    promoted(policies, "good")
    with desk_of(policies) as open_desk, pytest.raises(WorkspaceError, match="holds what Stemma does not write"):
        move(open_desk, open_desk.registry.head(), "champion", replace(version, number=5), {"act": "rollback"})
    assert Registry(policies.path, MODEL).read().aliases == {"champion": 1}


def test_evidence_that_was_tampered_with_is_none(policies: Policies) -> None:
    policies.add("bad", [-1.0] * PROMPTS)
    objects = [path for path in policies.project.cache.rglob("*") if path.is_file()]
    answers = next(path for path in objects if b'"score": -1.0' in path.read_bytes())
    answers.chmod(0o644)
    answers.write_bytes(answers.read_bytes().replace(b"-1.0", b" 1.0"))
    with pytest.raises(RefusedError, match=r"answers\.jsonl of artifact .* is damaged"):
        promoted(policies, "bad")


def test_the_bytes_of_another_alias_do_not_hold_up_a_rollback(policies: Policies) -> None:
    for name, scores in (("good", BETTER), ("best", BEST)):
        policies.add(name, scores)
        promoted(policies, name)
    lost = Registry(policies.path, MODEL).read().versions[2].artifact
    shutil.rmtree(copy_of_artifact(policies.path, lost))
    policies.project.place(lost).unlink()
    back = rolled_back(policies)
    assert (back.after, served(policies)) == ("policy/1", b"good")


def test_a_served_copy_that_is_lost_or_changed_is_laid_out_again(policies: Policies) -> None:
    version = policies.add("good", BETTER)
    promoted(policies, "good")
    copy = copy_of_artifact(policies.path, version.artifact)
    (copy / "model.safetensors").write_bytes(b"evil")
    promoted(policies, "good")
    assert served(policies) == b"good"
    shutil.rmtree(copy)
    promoted(policies, "good")
    assert served(policies) == b"good"


def test_an_alias_in_the_chain_that_leads_out_of_the_project_is_refused(policies: Policies) -> None:
    policies.add("good", BETTER)
    chain = Chain(policies.path, Registry(policies.path, MODEL).ref)
    head = chain.head()
    assert head
    chain.append(head, "by hand", {"act": "promote"}, {**head.state, "aliases": {"../../../pwned": 1}})
    with pytest.raises(WorkspaceError, match="holds what Stemma does not write"):
        promoted(policies, "good")


def test_a_lock_that_a_kill_left_on_the_ref_is_told_and_not_waited_for(policies: Policies) -> None:
    policies.add("good", BETTER)
    (policies.path / ".git" / f"{Registry(policies.path, MODEL).ref}.lock").touch()
    with pytest.raises(WorkspaceError, match=r"policy\.lock"):
        promoted(policies, "good")


def test_what_the_champion_measured_and_the_challenger_did_not_is_a_gate_that_fails(policies: Policies) -> None:
    policies.add("good", BETTER)
    policies.add("silent", BEST, unmeasured=("gold/refusal", "objective/kl"))
    promoted(policies, "good")
    with pytest.raises(RefusedError, match=r"(?s)refusal: 0\.900 → not measured.*KL: not measured"):
        promoted(policies, "silent")


def test_two_clones_that_registered_while_the_remote_was_silent_both_keep_their_versions(
    policies: Policies, tmp_path: Path
) -> None:
    policies.add("good", BETTER)
    git = policies.project.git
    git.run("init", "--quiet", "--bare", str(tmp_path / "remote.git"))
    git.run("remote", "add", "origin", str(tmp_path / "remote.git"))
    subprocess.run(
        ["dvc", "remote", "add", "--default", "store", str(tmp_path / "store")], cwd=policies.path, check=True
    )
    git.run("push", "--quiet", "origin", "main", "refs/stemma/*:refs/stemma/*", "refs/exps/*:refs/exps/*")
    other = Policies(copy_of(policies.project, tmp_path / "other"))
    ours, theirs = policies.add("ours", BETTER), other.add("theirs", BEST)
    assert ours.number == theirs.number == 2
    hand_on(policies.path, Registry(policies.path, MODEL).ref)
    catch_up(other.path, Registry(other.path, MODEL))
    now = Registry(other.path, MODEL).read()
    assert {number: version.run for number, version in now.versions.items()} == {1: "good", 2: "ours", 3: "theirs"}
    version, unseen = register_shared(other.path, MODEL, "theirs", theirs.commit, "ppo", theirs.artifact)
    assert (version.number, unseen) == (3, "")
    assert not git.run("for-each-ref", "refs/stemma/rejoining")


def test_promotion_and_rollback_concern_the_model_that_the_version_names(
    policies: Policies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stemma.serving.loading.check_loadable", lambda _: None)  # made-up policies hold no model
    for name, scores in (("good", BETTER), ("best", BEST)):
        version = policies.add(name, scores)
        Registry(policies.path, "own-data").register(version.run, version.commit, version.stage, version.artifact)
    (policies.path / "params.yaml").write_text("registry: {model: policy}\n")
    promoted(policies, "policy/1")
    for version_name in ("own-data/1", "own-data/2"):
        promote_model(policies.path, version_name, "champion", "it is better", force=True)
    assert "own-data/2 → own-data/1" in roll_back_model(policies.path, "own-data/1", "why not")
    assert Registry(policies.path, "own-data").read().aliases["champion"] == 1
    assert Registry(policies.path, MODEL).read().aliases["champion"] == 1
