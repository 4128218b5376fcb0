"""Which stages run again, and the reason that is logged."""

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
    assert "dpo runs: dpo.beta 0.3 → 0.2" in printed
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
