"""What the Git remote really holds of the family's runs and of the registered models."""

from collections.abc import Iterator

from stemma.lineage.git_objects import local_refs, remote_refs
from stemma.verification.fault import Fault, Kind
from stemma.verification.subject import RegisteredModel, Subject


def check_experiments(subject: Subject) -> list[Fault]:
    """Compare the experiments of the family's runs with the Git remote's, where there is one.

    Raises WorkspaceError where it does not answer.
    """
    remote = subject.git_remote
    local = {commit: ref for ref, commit in local_refs(subject.root, "refs/exps/*/*/*").items()}
    refs = {local[commit]: commit for commit in subject.records if commit in local}
    if remote is None or not refs:
        return []
    there = remote_refs(subject.root, remote, *refs)
    faults = []
    for ref, commit in refs.items():
        run = subject.records[commit].run.name
        made = next((m.dvc_id for m in reversed(subject.members) if m.run and m.run.commit == commit), "")
        place = f"Git remote {remote}, {ref}"
        if ref not in there:
            words = f"experiment {run}, commit {commit[:10]}, is not on Git remote {remote}"
            faults.append(Fault(Kind.GIT_REMOTE, place, words, f"`stemma push {run}`", made))
        elif there[ref] != commit:
            words = f"experiment {run} is commit {there[ref][:10]} there and {commit[:10]} here"
            remedy = f"look at both; `git fetch {remote} +{ref}:{ref}` takes the remote's"
            faults.append(Fault(Kind.GIT_REMOTE, place, words, remedy, made))
    return faults


def check_chains(subject: Subject) -> list[Fault]:
    """Compare the chains of registered models with the Git remote's, where there is one.

    Raises WorkspaceError where it does not answer.
    """
    remote, registered = subject.git_remote, subject.registered
    if remote is None or not registered:
        return []
    there = remote_refs(subject.root, remote, *(model.ref for model in registered))
    return [fault for model in registered for fault in _chain_faults(model, remote, there.get(model.ref))]


def _chain_faults(model: RegisteredModel, remote: str, there: str | None) -> Iterator[Fault]:
    acts = [link.commit for link in model.acts]
    place = f"Git remote {remote}, {model.ref}"
    push = f"`git push {remote} {model.ref}:{model.ref}`"
    if there is None:
        yield Fault(Kind.GIT_REMOTE, place, f"the registered model {model.now.name} is not there", push)
    elif there not in acts:
        words = f"{model.now.name} is at act {there[:10]} there, which is not among the {len(acts)} acts here"
        remedy = (
            f"`git fetch {remote} {model.ref}:{model.ref}` brings it; where that is refused, one of them was rewritten"
        )
        yield Fault(Kind.GIT_REMOTE, place, words, remedy)
    elif there != acts[-1]:
        words = f"{model.now.name} has {len(acts) - 1 - acts.index(there)} acts here that are not there"
        yield Fault(Kind.GIT_REMOTE, place, words, push)
