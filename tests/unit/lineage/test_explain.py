"""Why a stage runs, in one line."""

from typing import Any

from stemma.lineage.explain import explain, flat


def entry(cmd: str = "run", beta: float = 0.1, deps: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "cmd": cmd,
        "deps": [{"path": path, "md5": md5} for path, md5 in (deps or {}).items()],
        "params": {"params.yaml": {"seed": 0, "dpo": {"beta": beta}}},
    }


def test_a_setting() -> None:
    assert explain("dpo", entry(beta=0.2), entry(), "form-beta") == "dpo.beta 0.1 → 0.2 (against run form-beta)"


def test_code_inputs_and_command() -> None:
    now, before = entry("new", deps={"a": "1", "b": "2"}), entry("old", deps={"a": "2", "c": "3"})
    expected = "command old → new, a changed, b is a new dependency, c is no dependency any more (against run may)"
    assert explain("dpo", now, before, "may") == expected


def test_many_changes_are_cut_short() -> None:
    now, before = entry(deps=dict.fromkeys("abcdef", "1")), entry(deps=dict.fromkeys("abcdef", "2"))
    assert explain("dpo", now, before, "may") == (
        "a changed, b changed, c changed, d changed and 2 more (against run may)"
    )


def test_nothing_changed_but_the_cache_is_gone() -> None:
    assert explain("dpo", entry(), entry(), "may") == (
        "nothing of dpo changed since run may, but its bytes are not in the cache"
    )


def test_flat_keeps_lists_and_empty_sections() -> None:
    assert flat({"a": {"b": [1], "c": {}}, "d": 2}) == {"a.b": [1], "a.c": {}, "d": 2}
