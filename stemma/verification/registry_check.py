"""The registered models that a family belongs to: their chains, their versions, and the experiments they name."""

from collections.abc import Iterator

from stemma.lineage.chain import Document, Link
from stemma.lineage.git_objects import local_refs, read_objects
from stemma.lineage.registry import Version, applied
from stemma.verification.fault import Fault, Kind
from stemma.verification.subject import RegisteredModel, Subject

EXPERIMENT = "refs/exps/{}/{}/{}"


def check_registry(subject: Subject) -> list[Fault]:
    """Check every act of the chains, every version, and the experiments of the family's runs."""
    faults = [_fault(subject, ref, "", words) for ref, words in subject.unreadable.items()]
    for model in subject.registered:
        if wrong := chain_fault(model):
            link, words = wrong
            faults.append(_fault(subject, model.ref, f", act {link.commit[:10]}", f"{link.title!r}: {words}"))
        faults += _version_faults(subject, model)
        faults += _experiment_faults(subject, model)
    return faults


def experiment_ref(baseline: str, run: str) -> str:
    """The ref of a run that began from a commit."""
    return EXPERIMENT.format(baseline[:2], baseline[2:], run)


def chain_fault(model: RegisteredModel) -> tuple[Link, str] | None:
    """The first act whose state is not what it makes of the state before, and why; None where all add up."""
    state: Document = {}
    for link in model.acts:
        words = _act_fault(state, link)
        if words:
            return link, words
        state = link.state
    return None


def _act_fault(state: Document, link: Link) -> str:
    versions = state.get("versions", {})
    try:
        if link.act["act"] == "register" and str(link.act["version"]["number"]) in versions:
            return f"it registers version {link.act['version']['number']} a second time"
        after = applied(state, link.act)
    except (KeyError, TypeError, AttributeError, ValueError):
        return "the act is not one of Stemma's"
    if set(map(str, after["aliases"].values())) - set(after["versions"]):
        return "it moves an alias to a version that there is not"
    return "" if after == link.state else "what it says holds since is not what the act makes of what held before"


def _version_faults(subject: Subject, model: RegisteredModel) -> Iterator[Fault]:
    """Each version's artifact must be the one that its run's dvc.lock names."""
    for version in model.now.versions.values():
        locked = subject.index.of_run(version.commit).get(version.stage)
        if locked is None:
            words = f"its commit {version.commit[:10]} tells of no stage {version.stage}"
        elif locked.artifact != version.artifact:
            words = f"it names artifact {version.artifact}; dvc.lock of its commit says {locked.artifact}"
        else:
            continue
        artifact = version.artifact if version.artifact in subject.family.members else ""
        yield _fault(subject, model.ref, "", f"{model.now.name}/{version.number}: {words}", artifact)


def _experiment_faults(subject: Subject, model: RegisteredModel) -> Iterator[Fault]:
    """An experiment must still be at the commit that was registered; one that was removed is no fault."""
    names = {record.run.name for record in subject.records.values()}
    versions = [v for v in model.now.versions.values() if v.run in names]
    refs = {experiment_ref(subject.index.run(v.commit).baseline, v.run): v for v in versions}
    there = local_refs(subject.root, *refs) if refs else {}
    for ref, version in refs.items():
        commit = there.get(ref, version.commit)
        if commit != version.commit:
            yield Fault(
                Kind.EXPERIMENT,
                ref,
                f"experiment {version.run} is at commit {commit[:10]}; {model.now.name}/{version.number} was "
                f"registered from {version.commit[:10]}. {_difference(subject, version, commit)}",
                f"`git update-ref {ref} {version.commit}` puts it back",
                version.artifact if version.artifact in subject.family.members else "",
            )


def _difference(subject: Subject, version: Version, commit: str) -> str:
    names = [f"{one}:dvc.lock" for one in (version.commit, commit)]
    before, after = (read_objects(subject.root, names)[name] for name in names)
    if before == after:
        return "Both have the same dvc.lock"
    differing = sorted(set((before or b"").splitlines()) ^ set((after or b"").splitlines()))
    shown = "; ".join(line.decode("utf-8", "replace").strip() for line in differing[:4])
    return f"Lines of dvc.lock that differ: {shown}"


def _fault(subject: Subject, ref: str, where: str, words: str, artifact: str = "") -> Fault:
    remote = subject.git_remote or "REMOTE"
    remedy = f"somebody wrote the chain by hand: `git fetch {remote} +{ref}:{ref}` takes the Git remote's copy"
    return Fault(Kind.REGISTRY, f"{ref}{where}", words, remedy, artifact)
