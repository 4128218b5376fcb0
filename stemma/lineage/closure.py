"""The import closure of a module: the project's own files that running it reads."""

import ast
from pathlib import Path

PACKAGES = ("stemma", "tasks", "flows")


def import_closure(root: Path, module: str) -> list[Path]:
    """Every file of the project that importing a module can execute, itself included, as sorted relative paths.

    Imports inside functions count; a package counts with its `__init__.py` where that holds code.
    """
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        for file in _files_of(root, waiting.pop()):
            if file not in found:
                found.add(file)
                waiting.extend(_imports(root / file))
    return sorted(file for file in found if _holds_code(root / file))


def imported_modules(file: Path) -> list[str]:
    """The project's modules that a file names in its import statements, wherever they stand."""
    return _imports(file)


def _imports(file: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.split(".")[0] in PACKAGES]


def _holds_code(file: Path) -> bool:
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return not all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body)


def _files_of(root: Path, module: str) -> list[Path]:
    parts = module.split(".")
    packages = [Path(*parts[:depth], "__init__.py") for depth in range(1, len(parts) + 1)]
    candidates = [*packages, Path(*parts).with_suffix(".py")]
    return [path for path in candidates if (root / path).is_file()]
