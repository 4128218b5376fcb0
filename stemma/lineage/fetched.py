"""Whether this clone knows all that the Git remote has on record."""

from pathlib import Path

from stemma.errors import WorkspaceError
from stemma.lineage.git import Git

RECORD = ("refs/exps/*", "refs/stemma/*", "refs/heads/*", "refs/tags/*")
"""The refs that say which bytes are needed."""


def check_fetched(root: Path) -> None:
    """Check that every run, act, branch and tag of the Git remote is in this clone too.

    Raises WorkspaceError where one is not, with the command that fetches it, or where the remote does not answer.
    """
    git = Git(root)
    remote = git.remote()
    if remote is None:
        return
    listed = [line.split("\t") for line in git.run("ls-remote", "--quiet", remote, *RECORD).splitlines()]
    names: dict[str, str] = dict(listed)
    known = git.run("cat-file", "--batch-check", stdin="".join(f"{commit}\n" for commit in names)).splitlines()
    missing = {line.split()[0] for line in known if line.endswith("missing")}
    here = "".join(f"{commit}\n" for commit in names if commit not in missing)
    loose = git.run("rev-list", "--stdin", "--not", "--all", stdin=here).splitlines() if here else []
    unknown = sorted(names[commit] for commit in missing.union(loose) if commit in names)
    if unknown:
        raise WorkspaceError(
            f"Git remote {remote} has {len(unknown)} refs that this clone has not, such as {unknown[0]}; what they "
            f"need would be removed. Fetch them first: git fetch {remote} 'refs/exps/*:refs/exps/*' "
            "'refs/stemma/*:refs/stemma/*' && git fetch --tags"
        )
