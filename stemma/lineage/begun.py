"""What a flow run began from, on record while it is under way, so that it can go on anywhere.

Code, settings and raw inputs as they were at its start are one Git commit on a ref named after the flow run; its parent
is the commit that the run starts from. Where the project is shared the ref is pushed, and another machine that takes
the flow run up begins from the same commit, whatever its own clone holds by then.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stemma.errors import WorkspaceError
from stemma.lineage.environment import AUTHOR
from stemma.lineage.git import Git
from stemma.lineage.runs import read_trailers, run_message
from stemma.lineage.sharing import SECONDS_TO_ANSWER, SECONDS_TO_MOVE, shared_through
from stemma.lineage.start import Start
from stemma.lineage.workspace import Workspace
from stemma.stage.definition import PARAMS_FILE

BEGUN = "refs/stemma/begun"
DIRTY = "Dirty"


@dataclass(frozen=True)
class Begun:
    """The beginning of one flow run."""

    start: Start
    """Its commit, and the tree of its workspace: code, settings and the raw inputs' `.dvc` files."""
    params: Mapping[str, Any]
    """Its settings, with all that the first machine decided."""
    facts: Mapping[str, str]
    """What else was known of it then."""


def find_begun(root: Path, flow_run: str) -> Begun | None:
    """What a flow run began from, looked up here and on the Git remote; None where it has not begun yet.

    Raises WorkspaceError where the Git remote does not answer: the run may have begun on another machine.
    """
    git, ref = Git(root), _ref(flow_run)
    remote = shared_through(root)
    if remote and git.run("ls-remote", remote, ref, timeout=SECONDS_TO_ANSWER):
        git.run("fetch", "--quiet", remote, f"+{ref}:{ref}", timeout=SECONDS_TO_MOVE)
    if not git.run("for-each-ref", "--format=%(objectname)", ref):
        return None
    from ruamel.yaml import YAML

    commit, tree, message = git.run("log", "--max-count=1", "--format=%P%x1f%T%x1f%B", ref).split("\x1f")
    params = git.contents([f"{ref}:{PARAMS_FILE}"])[f"{ref}:{PARAMS_FILE}"]
    facts = read_trailers(message)
    dirty = facts.pop(DIRTY, "") == "true"
    return Begun(Start(commit, tree, dirty), YAML(typ="safe").load(params or "") or {}, facts)


def record_begun(workspace: Workspace, flow_run: str, facts: Mapping[str, str]) -> str:
    """Record what a flow run begins from: its workspace as it is now, on top of the commit it starts from.

    Returns why no other machine could go on with it, or empty.
    """
    git, ref = Git(workspace.path), _ref(flow_run)
    env = {} if git.has_identity() else AUTHOR
    message = run_message(f"{flow_run} begins", {DIRTY: str(workspace.dirty).lower(), **facts})
    begun = git.run("commit-tree", git.working_tree(), "-p", workspace.commit, "-m", message, env=env)
    git.run("update-ref", ref, begun)
    remote = shared_through(workspace.root)
    try:
        if remote:
            git.run("push", "--quiet", "--force", remote, f"{ref}:{ref}", timeout=SECONDS_TO_MOVE)
    except WorkspaceError as error:
        return str(error)
    return ""


def forget_begun(root: Path, flow_run: str) -> None:
    """Drop the record of a flow run that has ended; a silent remote keeps its copy, which harms nobody."""
    git, ref = Git(root), _ref(flow_run)
    git.run("update-ref", "-d", ref)
    remote = shared_through(root)
    if remote:
        with suppress(WorkspaceError):
            git.run("push", "--quiet", remote, f":{ref}", timeout=SECONDS_TO_MOVE)


def _ref(flow_run: str) -> str:
    return f"{BEGUN}/{flow_run}"
