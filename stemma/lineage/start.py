"""The code that a run starts from: a commit, and what the working tree has beyond it."""

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from stemma.errors import WorkspaceError
from stemma.lineage.git import Git
from stemma.lineage.sharing import SECONDS_TO_MOVE, shared_through
from stemma.stage.locks import lock


class Start(NamedTuple):
    """Where a run starts."""

    commit: str
    tree: str
    """The tree of the run's workspace: the commit's own, or with changes that nobody committed."""
    dirty: bool
    """Whether it takes such changes."""
    unheard: str = ""
    """Why it is not known whether the remote has newer code; empty where it is known, or nobody had to ask."""


def start_here(root: Path) -> Start:
    """The working tree as it is.

    Raises WorkspaceError where the repository has no commit yet.
    """
    git = Git(root)
    commit, tree = git.head(), git.working_tree()
    return Start(commit, tree, tree != git.run("rev-parse", f"{commit}^{{tree}}"))


def start_of_worker(root: Path) -> Start:
    """The newest commit of the branch that a worker's clone follows, so that a push reaches every worker.

    A clone with changes of its own, with commits that the remote lacks, or whose remote does not answer, starts as it
    is; of these, only the last has to be told. Its files stay untouched: other runs may be at work from them.
    """
    here, git = start_here(root), Git(root)
    remote = shared_through(root)
    if remote is None or here.dirty:
        return here
    with suppress(WorkspaceError):
        upstream = git.run("rev-parse", "--abbrev-ref", "--symbolic-full-name", "@{upstream}")
        unheard = _fetch(root, remote)
        if unheard:
            return here._replace(unheard=unheard)
        tip = git.run("rev-parse", "--verify", f"{upstream}^{{commit}}")
        git.run("merge-base", "--is-ancestor", here.commit, tip)
        return Start(tip, git.run("rev-parse", f"{tip}^{{tree}}"), dirty=False)
    return here


def fetch_record(root: Path) -> str:
    """Fetch the runs of other clones, where the project is shared; returns why that could not be, or empty.

    Registered models are taken over by whoever acts on them, because two clones may have gone different ways.
    """
    remote = shared_through(root)
    return _fetch(root, "--no-tags", remote, "refs/exps/*:refs/exps/*") if remote else ""


def _fetch(root: Path, *what: str) -> str:
    """Fetch, one process at a time; returns why that could not be, or empty.

    Of two fetches at once in one clone, Git fails the one that finds a ref moved meanwhile.
    """
    try:
        with lock(root / ".stemma" / "fetch.lock"):
            Git(root).run("fetch", "--quiet", *what, timeout=SECONDS_TO_MOVE)
    except WorkspaceError as error:
        return str(error)
    return ""
