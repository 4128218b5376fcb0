"""What a clone may lack of the record, and how to get it."""

from pathlib import Path

from stemma.lineage.git import Git


def fetch_hint(root: Path) -> str:
    """How to fetch what is not in this clone, to end a message with; empty where there is nowhere to fetch from."""
    git = Git(root)
    remote = git.remote()
    if remote is None:
        return ""
    refs = "'refs/exps/*:refs/exps/*' 'refs/stemma/*:refs/stemma/*'"
    hint = f". Runs and registered models of others: git fetch {remote} {refs}"
    if git.run("rev-parse", "--is-shallow-repository") == "true":
        hint += f". This is a shallow clone, which leaves older commits out: git fetch --unshallow {remote}"
    return hint
