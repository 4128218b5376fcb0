"""Which stages run again, and the reason that is logged."""

import json
import re

from stemma.lineage.forgotten import FORGOTTEN, Tombstones
from stemma.lineage.runs import artifact_id
from tests.project import Project


def test_nothing_changed_nothing_runs(undisturbed: Project) -> None:
    printed = undisturbed.run("rlhf", "again")
    assert undisturbed.found("again").made == {}
    assert "sft is restored: nothing changed, run calm made it" in printed
    assert " runs:" not in printed
    assert undisturbed.found("again").lock == undisturbed.found("calm").lock


def test_a_setting_reruns_its_stage_and_what_follows(undisturbed: Project) -> None:
    printed = undisturbed.run("dpo", "softer", "--set", "dpo.beta=0.2")
    assert list(undisturbed.found("softer").made) == ["dpo", "eval_dpo"]
    assert re.search(r"dpo runs: dpo\.beta 0\.\d+ → 0\.2 \(against run [\w-]+\)\n", printed)
    assert "eval_dpo runs: artifacts/dpo changed" in printed


def test_a_changed_line_in_the_import_closure_reruns_the_stage(undisturbed: Project) -> None:
    source = undisturbed.path / "stemma" / "evaluation" / "win_rate.py"
    before = source.read_text()
    source.write_text(before + "\n# a changed line\n")
    try:
        printed = undisturbed.run("dpo", "edited")
    finally:
        source.write_text(before)
    run = undisturbed.found("edited")
    assert "eval_dpo runs: stemma/evaluation/win_rate.py changed" in printed
    assert "dpo" not in run.made
    assert run.dirty
    assert "with uncommitted changes" in printed
    assert undisturbed.git("show", f"{run.commit}:stemma/evaluation/win_rate.py").endswith("# a changed line")
    assert not undisturbed.found("calm").dirty


def test_damaged_bytes_in_the_cache_are_noticed_before_they_are_used(undisturbed: Project) -> None:
    """DVC trusts its cache and would hand the damaged model on; the manifest does not."""
    listing = undisturbed.path / ".dvc/cache/files/md5" / _sharded(artifact_id(undisturbed.found("calm").lock["sft"]))
    (model,) = [file["md5"] for file in json.loads(listing.read_text()) if file["relpath"] == "model.safetensors"]
    cached = undisturbed.path / ".dvc/cache/files/md5" / _sharded(model)
    whole = cached.read_bytes()
    cached.chmod(0o644)
    cached.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    cached.chmod(0o444)  # DVC trusts what is read-only
    try:
        printed = undisturbed.run("dpo", "damaged", "--set", "dpo.beta=0.7", status=2)
    finally:
        cached.chmod(0o644)
        cached.write_bytes(whole)
        cached.chmod(0o444)
    assert "artifacts/sft/model.safetensors changed: sha256" in printed
    assert "dvc pull" in printed


def _sharded(md5: str) -> str:
    return f"{md5[:2]}/{md5[2:]}"


def test_what_was_forgotten_on_request_does_not_come_back_unseen(undisturbed: Project) -> None:
    label = artifact_id(undisturbed.found("straight").lock["label"])
    Tombstones(undisturbed.path).add("forget", {"act": "forget"}, {label: "a request of May"}, {})
    try:
        assert "label is TAINTED: a request of May" in undisturbed.run("dpo", "tainted")
    finally:
        undisturbed.git("update-ref", "-d", FORGOTTEN)
