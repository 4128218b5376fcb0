"""What a run leaves in Git and DVC."""

import json
import sys

from flows import dpo, rlhf
from stemma.config import read_yaml, write_yaml
from stemma.lineage.dvc import read_lock
from tests.project import Project


def test_a_run_is_a_dvc_experiment_with_its_settings_and_metrics(undisturbed: Project) -> None:
    shown = json.loads(undisturbed.dvc("exp", "show", "--json"))
    experiments = {
        revision["name"]: revision["data"]
        for baseline in shown
        for experiment in baseline.get("experiments") or []
        for revision in experiment["revs"]
    }
    assert {"calm", "straight"} <= set(experiments)
    assert experiments["calm"]["params"]["params.yaml"]["data"]["ppo"]["kl_coef"] > 0
    assert list(experiments["calm"]["metrics"]) == list(experiments["straight"]["metrics"]) == ["metrics/eval.json"]
    calm, straight = (experiments[name]["metrics"]["metrics/eval.json"]["data"] for name in ("calm", "straight"))
    assert set(calm) == set(straight) >= {"gold/win_rate", "gold/mean", "objective/kl"}
    assert calm["gold/win_rate"] == undisturbed.found("calm").metrics["eval_ppo"]["gold/win_rate"]


def test_the_plots_of_both_runs_are_drawn_without_a_warning(undisturbed: Project) -> None:
    """`dvc plots diff` told that it failed to load some plots, because half of them were the other flow's."""
    told = undisturbed.dvc("plots", "diff", "calm", "straight", "--out", str(undisturbed.path.parent / "plots"))
    assert "failed" not in told
    shown = json.loads(undisturbed.dvc("plots", "diff", "calm", "straight", "--json"))
    assert not shown.get("errors")
    drawn = {file: [rev for plot in plots for rev in plot["revisions"]] for file, plots in shown["data"].items()}
    assert set(drawn["metrics/plots/eval.csv"]) == {"calm", "straight"}
    assert drawn["metrics/plots/over_optimization.csv"] == ["calm"]


def test_each_flow_ran_its_stages_and_the_second_took_over_what_was_there(undisturbed: Project) -> None:
    first, second = undisturbed.found("calm"), undisturbed.found("straight")
    assert list(first.made) == list(rlhf.STAGES) == first.stages
    assert list(second.made) == ["dpo", "eval_dpo"]
    assert second.stages == list(dpo.STAGES)


def test_an_applied_run_is_up_to_date(undisturbed: Project) -> None:
    undisturbed.dvc("exp", "apply", "straight")
    try:
        assert "up to date" in undisturbed.dvc("status")
        assert (undisturbed.path / "artifacts" / "dpo" / "model.safetensors").is_file()
    finally:
        undisturbed.git("checkout", "--quiet", ".")
        undisturbed.git("clean", "--quiet", "--force", "-d", "metrics", "dvc.lock")


def test_no_artifact_holds_a_path_a_host_or_a_pickle(undisturbed: Project) -> None:
    undisturbed.dvc("exp", "apply", "calm")
    try:
        files = [path for path in (undisturbed.path / "artifacts").rglob("*") if path.is_file()]
        assert {path.suffix for path in files} <= {".json", ".jsonl", ".csv", ".safetensors", ".jinja", ".md", ".txt"}
        for file in files:
            assert str(undisturbed.path).encode() not in file.read_bytes(), file
    finally:
        undisturbed.git("checkout", "--quiet", ".")
        undisturbed.git("clean", "--quiet", "--force", "-d", "metrics", "dvc.lock")


def test_the_family_tree_goes_back_to_the_data(undisturbed: Project) -> None:
    shown = undisturbed.output(sys.executable, "-m", "stemma", "show", "calm")
    for name in ("ppo", "reward", "label", "sample", "sft", "base", "data"):
        assert f" {name}" in shown or f"\n{name}" in shown
    assert "inputs/" not in shown  # the default world's hold only a README, which is no raw data


def test_results_stand_side_by_side(undisturbed: Project) -> None:
    shown = undisturbed.output(sys.executable, "-m", "stemma", "show")
    assert "win rate against SFT, gold rule" in shown
    assert {"rlhf", "dpo"} <= set(shown.splitlines()[1].split())


def test_the_list_of_runs_names_each(undisturbed: Project) -> None:
    listed = undisturbed.output(sys.executable, "-m", "stemma", "runs")
    assert "calm" in listed
    assert "straight" in listed


def test_plain_dvc_repro_gives_the_same_bytes(undisturbed: Project) -> None:
    """With the runs in the cache it restores them; the ids are compared, so a different byte anywhere would show."""
    params = undisturbed.path / "params.yaml"
    try:
        for flow, name in (("rlhf", "calm"), ("dpo", "straight")):
            write_yaml(
                params, read_yaml(params) | {"flows": {known: [flow] * (known == flow) for known in ("rlhf", "dpo")}}
            )
            undisturbed.dvc("repro")
            lock, record = read_lock((undisturbed.path / "dvc.lock").read_text()), undisturbed.found(name).lock
            assert {stage: lock[stage]["outs"] for stage in record} == {
                stage: record[stage]["outs"] for stage in record
            }
    finally:
        undisturbed.git("checkout", "--quiet", ".")
        undisturbed.git("clean", "--quiet", "--force", "-d", "metrics", "dvc.lock")
