"""What DVC tracks in a commit or a folder, by its own files: `dvc.lock` and `*.dvc`."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from stemma.lineage.git import Git

INPUTS = "inputs"
MD5 = re.compile(r"\bmd5: '?([0-9a-f]{32}(?:\.dir)?)\b")


def in_commit(git: Git, commit: str) -> set[str]:
    """The ids of all that DVC tracks in a commit, with what it was made from."""
    paths = git.run("ls-tree", "-r", "-z", "--name-only", commit).split("\0")
    names = [f"{commit}:{path}" for path in paths if _tells(path)]
    return _ids({name: text or "" for name, text in git.contents(names).items()})


def in_folder(folder: Path) -> set[str]:
    """The ids of all that DVC tracks in a worktree as it is now, committed or not."""
    listed = Git(folder).run("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    files = [folder / path for path in {*listed, "dvc.lock"} if _tells(path)]
    return _ids({str(file): file.read_text(encoding="utf-8") for file in files if file.is_file()})


def raw_inputs(git: Git, commits: Iterable[str]) -> dict[str, dict[str, str]]:
    """The raw files that runs took in: the id of each by path, such as `inputs/pairs.jsonl`, by the run's commit."""
    asked = list(commits)
    names = "".join(f"{commit}:{INPUTS}\n" for commit in asked)
    found = git.run("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=names).splitlines()
    trees = {commit: line.split()[0] for commit, line in zip(asked, found, strict=True) if line.endswith(" tree")}
    by_tree = {tree: _raw(git, tree) for tree in set(trees.values())}
    return {commit: by_tree[trees[commit]] if commit in trees else {} for commit in asked}


def _raw(git: Git, tree: str) -> dict[str, str]:
    paths = [path for path in git.run("ls-tree", "-r", "-z", "--name-only", tree).split("\0") if path.endswith(".dvc")]
    texts = git.contents([f"{tree}:{path}" for path in paths])
    found = {}
    for path in paths:
        for name, oid in _outs(texts[f"{tree}:{path}"] or "").items():
            found[str(PurePosixPath(INPUTS, path).parent / name)] = oid
    return found


def _tells(path: str) -> bool:
    name = path.rsplit("/", 1)[-1]
    return name == "dvc.lock" or (name.endswith(".dvc") and name != ".dvc")


def _ids(texts: Mapping[str, str]) -> set[str]:
    found: set[str] = set()
    for text in texts.values():
        found |= named_in(text)
    return found


def named_in(text: str) -> set[str]:
    """Every id in the text of a file of DVC's, those of code among them."""
    return set(MD5.findall(text))


def _outs(text: str) -> dict[str, str]:
    """The outputs of a `.dvc` file: id by path."""
    from ruamel.yaml import YAML

    outs = (YAML(typ="safe").load(text) or {}).get("outs", [])
    return {out["path"]: out["md5"] for out in outs if "md5" in out}
