"""A family tree is drawn once a branch."""

from typing import Any

from stemma.lineage.tree import family_tree, tree_lines


def entry(name: str, *deps: str) -> dict[str, Any]:
    return {
        "deps": [{"path": path, "md5": f"{path}-id", "size": 0} for path in deps],
        "outs": [{"path": f"artifacts/{name}", "md5": f"{name}{'0' * 30}.dir", "size": 1500}],
    }


def test_what_was_drawn_is_named_again_but_not_unfolded() -> None:
    lock = {
        "data": entry("data", "inputs", "stemma/x.py"),
        "base": entry("base", "artifacts/data"),
        "sft": entry("sft", "artifacts/base", "artifacts/data"),
    }
    assert tree_lines(family_tree(lock, "sft")) == [
        "sft      sft0000000     1.5 kB",
        "├── base     base000000     1.5 kB",
        "│   └── data     data000000     1.5 kB",
        "│       └── inputs   inputs-id        0 B",
        "└── data     data000000     1.5 kB  (above)",
    ]
