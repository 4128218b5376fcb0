"""A policy that was trained as adapters is served and exported so that plain transformers loads it by path."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.testing import assert_close

from stemma.errors import ArtifactError
from stemma.export.export import export as export_model
from stemma.export.verify import verify_export
from stemma.lineage.index import Index
from stemma.lineage.names import find_model
from stemma.lineage.registry import Registry
from stemma.lineage.store import Store
from stemma.models.policy import load_weights
from stemma.models.scalar import save_scalar_model, trainable_scalar_model
from stemma.models.tokenizer import load_tokenizer
from stemma.promotion.act import promote
from stemma.serving.loading import check_loadable
from stemma.serving.model_files import artifacts_of, model_files
from stemma.stage.manifest import write_manifest
from stemma.verification.served_check import check_served
from stemma.verification.subject import Subject
from stemma.verification.verify import quiet
from tests.adapted import LORA, AdaptedPolicies, question
from tests.exports import DEFAULTS, KEY
from tests.family import FamilyProject, Made, copy_of
from tests.policies import MODEL, Policies
from tests.promotion.acts import desk_of
from tests.tiny import MACHINE, tiny_artifact

PLAIN = """
import json, sys
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
assert not [name for name in sys.modules if name.startswith("stemma")]
for folder in sys.argv[2:]:
    tokens = json.loads(sys.argv[1])
    with torch.no_grad():
        logits = AutoModelForCausalLM.from_pretrained(folder)(torch.tensor(tokens)).logits
    turn = [{"role": "user", "content": "where does bok live ?"}]
    encoded = AutoTokenizer.from_pretrained(folder).apply_chat_template(turn, add_generation_prompt=True)
    assert encoded["input_ids"] == tokens[0], encoded
    print(json.dumps(logits.tolist()))
"""


def loaded_elsewhere(tmp_path: Path, tokens: Tensor, folders: list[Path]) -> list[Tensor]:
    """The logits of each folder's model in another process, which has another working directory and no Stemma."""
    command = [sys.executable, "-I", "-c", PLAIN, json.dumps(tokens.tolist()), *map(str, folders)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [torch.tensor(json.loads(line)) for line in done.stdout.splitlines()]


def promoted(policies: AdaptedPolicies, name: str, alias: str) -> Path:
    with desk_of(Policies(policies.project)) as desk:
        ready = replace(desk, check_loadable=check_loadable)
        promote(ready, find_model(policies.path, desk.index, name), alias, "it is the best", force=True)
    return policies.path / "serving" / MODEL / alias


def test_plain_transformers_loads_what_is_served_and_exported(
    adapted_policies: AdaptedPolicies, tmp_path: Path
) -> None:
    served = [promoted(adapted_policies, "policy/1", "first"), promoted(adapted_policies, "policy/2", "second")]
    exported = [tmp_path / "first", tmp_path / "second"]
    for number, folder in enumerate(exported, start=1):
        export_model(adapted_policies.path, f"policy/{number}", folder, KEY, DEFAULTS)
    tokens = question(served[0])
    found = loaded_elsewhere(tmp_path, tokens, [*served, *exported])
    trained = [adapted_policies.over_whole[1], adapted_policies.over_adapters[1]]
    for logits, expected in zip(found, trained * 2, strict=True):
        assert_close(logits, expected, rtol=0, atol=1e-5)


def test_merged_weights_are_those_that_stemma_computes(adapted_policies: AdaptedPolicies, tmp_path: Path) -> None:
    version, _ = adapted_policies.over_adapters
    with closing(Index(adapted_policies.path)) as index, Store(adapted_policies.path) as store:
        artifacts = artifacts_of(index, version.commit)
        for stage, dvc_id in artifacts.items():
            (tmp_path / "artifacts" / stage).mkdir(parents=True)
            for name, md5 in (store.files(dvc_id) or {}).items():
                shutil.copy(adapted_policies.project.place(md5), tmp_path / "artifacts" / stage / name)
        files = model_files(store, artifacts, version.stage)
        expected = files.md5s()
        files.write(tmp_path / "merged")
    stemmas = load_weights(tmp_path / "artifacts" / "ppo", torch.float32).state_dict()
    for name, tensor in load_file(tmp_path / "merged" / "model.safetensors").items():
        assert_close(tensor, stemmas[name], rtol=0, atol=1e-6)
    found = {
        path.relative_to(tmp_path / "merged").as_posix(): hashlib.md5(path.read_bytes()).hexdigest()  # noqa: S324
        for path in (tmp_path / "merged").rglob("*")
        if path.is_file()
    }
    assert found == expected
    assert {"config.json", "adapters/sft/adapter_model.safetensors", "adapters/ppo/manifest.json"} <= set(found)


def test_verify_finds_a_changed_byte_of_merged_weights(adapted_policies: AdaptedPolicies, tmp_path: Path) -> None:
    policies = AdaptedPolicies.__new__(AdaptedPolicies)
    policies.project = copy_of(adapted_policies.project, tmp_path / "project")
    folder = promoted(policies, "policy/2", "challenger").resolve()
    with closing(Index(policies.path)) as index, Store(policies.path) as store:
        subject = Subject(policies.path, index, store, find_model(policies.path, index, "policy/2"), quiet)
        listings = {artifact: store.files(artifact) or {} for artifact in subject.family.members}
        assert [fault for fault in check_served(subject, listings) if "challenger" in fault.place] == []
        weights = folder / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
        (fault,) = [f for f in check_served(subject, listings) if f.place.startswith(str(folder))]
        assert fault.words.startswith("served file model.safetensors")


def test_an_export_of_adapters_is_checked_down_to_their_artifacts(
    adapted_policies: AdaptedPolicies, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    export_model(adapted_policies.path, "policy/2", folder, KEY, DEFAULTS)
    found = verify_export(folder)
    assert (found.faults, found.artifact) == ((), adapted_policies.over_adapters[0].artifact)
    assert not (folder / "adapter_config.json").exists()
    card = (folder / "README.md").read_text()
    with closing(Index(adapted_policies.path)) as index:
        ids = artifacts_of(index, adapted_policies.over_adapters[0].commit)
    assert f"- base: base `{ids['base']}`" in card
    assert f"sft `{ids['sft']}` (`adapters/sft`), ppo `{ids['ppo']}` (`adapters/ppo`)" in card
    for name in ("model.safetensors", "adapters/sft/adapter_model.safetensors"):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert [fault.split(" changed")[0] for fault in verify_export(folder).faults] == [name]
        (folder / name).write_bytes(content)


def test_a_reward_model_of_adapters_is_not_exported_and_the_remedy_is_named(tmp_path: Path) -> None:
    project = FamilyProject(tmp_path / "project")
    base, reward = tiny_artifact(project.path / "artifacts" / "base"), project.path / "artifacts" / "reward"
    reward.mkdir()
    save_scalar_model(trainable_scalar_model(base, MACHINE, "lora", LORA), load_tokenizer(base), reward, base)
    write_manifest(reward, "reward", {"base": base})
    made: list[Made] = []
    for folder in (base, reward):
        artifact = project.folder({file.name: file.read_bytes() for file in folder.iterdir()})
        made.append(Made(folder.name, artifact, 1, {"artifacts/base": made[0].artifact} if made else {}))
    project.run("calm", made, params={"seed": 0})
    with pytest.raises(ArtifactError, match=r"`stemma run rlhf --set reward\.tuning=full`"):
        export_model(project.path, made[1].artifact, tmp_path / "model", KEY, DEFAULTS)
    assert not (tmp_path / "model").exists()


def without_a_tensor(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights.pop("model.layers.1.self_attn.q_proj.weight")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def with_another_shape(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 7}))


def without_a_tokenizer(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()


@pytest.mark.parametrize("damage", [without_a_tensor, with_another_shape, without_a_tokenizer])
def test_what_cannot_be_loaded_is_neither_promoted_nor_exported(
    adapted_policies: AdaptedPolicies, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    policies = AdaptedPolicies.__new__(AdaptedPolicies)
    policies.project = copy_of(adapted_policies.project, tmp_path / "project")
    folder = tiny_artifact(tmp_path / "sft")
    damage(folder)
    files = {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "manifest.json"}
    artifact = policies.project.artifact("sft", files)
    commit = policies.project.run("torn", [Made("sft", artifact, 1, {})])
    Registry(policies.path, MODEL).register("torn", commit, "sft", artifact)
    with pytest.raises(ArtifactError, match="transformers cannot load the model in"):
        promoted(policies, "policy/3", "champion")
    assert "champion" not in Registry(policies.path, MODEL).read().aliases
    with pytest.raises(ArtifactError, match="transformers cannot load the model in"):
        export_model(policies.path, "policy/3", tmp_path / "model", KEY, DEFAULTS)
    assert not (tmp_path / "model").exists()
