"""What a person reads of a request to forget."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from stemma.forgetting.forget import Request, newest
from stemma.forgetting.holdings import Bytes, Holding, Part
from stemma.forgetting.purge import Purged
from stemma.forgetting.retraining import retraining
from stemma.lineage.family import size_text
from stemma.lineage.forgotten import taints
from stemma.lineage.row_files import LINES
from stemma.lineage.served import served_aliases, served_artifact
from stemma.lineage.tracked import in_folder
from stemma.records.counting import counted

COPIES = Path(".stemma/cleaned")
"""Where the cleaned raw files lie, to be named in `data.files`."""


def plan_page(request: Request) -> str:
    """What holds it and what descends from that."""
    found = request.found
    kind = request.wanted.kind
    lines = [f"To forget {'an' if kind[0] in 'aeiou' else 'a'} {kind}"]
    lines += [f"Done before, on request {request.asked[:8]}: {act['act']}" for act in request.acts]
    if not request.roots:
        lines += [f"None of the {found.looked_into} dataset versions that were looked into holds it."]
    if found.holdings:
        lines += ["", "Held by:", *(f"  {_holding_line(holding)}" for holding in found.holdings)]
    gone = [told for oid, told in request.buried.items() if oid not in {h.dataset.dvc_id for h in found.holdings}]
    lines += [f"  {told['name']} {told['id']} no longer: its bytes are gone" for told in gone]
    if request.roots:
        lines += ["", "Made from these:", *(f"  {line}" for line in _descent_lines(request))]
    return "\n".join([*lines, *_by_hand(request)])


def outcome_page(request: Request, is_new: bool) -> str:
    """What was done, and what remains to be done."""
    name = f"of request {request.asked[:8]}"
    lines = ["", f"Tombstone {name} written." if is_new else f"Nothing new: the tombstone {name} was written before."]
    cleaned = request.tombstones.cleaned
    for told in request.buried.values():
        lines += [f"  {told['name']} {oid} → cleaned {newest(cleaned, oid) or '–'}" for oid in told["objects"]]
    copies = _write_copies(request)
    lines += [f"  cleaned copy of {path}: {copy.relative_to(request.root)}" for (_, path), copy in copies.items()]
    commands = list(dict.fromkeys(_commands(request, copies)))
    if commands:
        lines += ["", "Retraining that makes clean models in the place of the tainted ones:"]
        lines += [f"  {command}" for command in commands]
    return "\n".join([*lines, *(["", "`stemma reconcile` shows the taints in MLflow."] if is_new else [])])


def purge_page(request: Request, removed: list[Purged], copies: tuple[int, int]) -> str:
    """What was removed; `copies` are those in serving/, as `purge_copies` counts them."""
    told = [f"  {one.place}: {one.objects} objects, {size_text(one.size)}" for one in removed]
    number, size = copies
    told.append(f"  serving/: {counted(number, 'copy', 'copies')} of tainted models, {size_text(size)}")
    rest = "Not looked into: MLflow's artifacts, the runs' logs and step checkpoints in .stemma, and other clones."
    return "\n".join(["", "Removed for good; hashes and tombstone stay:", *told, rest, *_still_served(request.root)])


def _still_served(root: Path) -> Iterator[str]:
    """The aliases whose model is tainted: serving goes on until another model takes its place."""
    tainted = taints(root)
    for model, alias in served_aliases(root):
        artifact = served_artifact(root, model, alias)
        if artifact in tainted:
            yield f"serving/{model}/{alias} serves {artifact}, which is tainted, until another model is promoted"


def _holding_line(holding: Holding) -> str:
    rows = [f"{path} {count} row{'s' if count > 1 else ''}" for path, count in holding.rows.items()]
    rows += [f"{path} names it" for path in holding.reports]
    return f"{holding.dataset.name} {holding.dataset.dvc_id}: {', '.join(rows)}"


def _descent_lines(request: Request) -> Iterator[str]:
    reached = request.reached
    for one in reached.versions:
        live = f"live as {', '.join(one.aliases)}: " if one.aliases else ""
        yield f"{live}{one.title}, {one.version.stage} {one.version.artifact} of run {one.version.run}"
    by_stage: dict[str, list[str]] = {}
    for artifact in reached.artifacts:
        by_stage.setdefault(artifact.stage, []).append(artifact.artifact[:10])
    for stage, ids in by_stage.items():
        yield f"{stage}: {', '.join(ids)}"


def _by_hand(request: Request) -> list[str]:
    """What no command can do."""
    lines = [line for holding in request.found.holdings for line in _left_of(request, holding)]
    copies = in_folder(request.root) & request.roots
    if copies:
        lines.append(f"the working tree has copies of {', '.join(sorted(copies))}; remove or replace them")
    unread = ", ".join(f"{count} of {name}" for name, count in sorted(request.found.unread.items()))
    if unread:
        lines.append(f"not looked into, because their bytes are nowhere here: {unread}")
    naming = _settings_that_name_it(request)
    if naming:
        lines.append(f"settings in Git name it, and stay: params.yaml of {counted(naming, 'run')}")
    return ["", "For you to see to:", *(f"  {line}" for line in lines)] if lines else []


def _left_of(request: Request, holding: Holding) -> Iterator[str]:
    """What stays of a dataset version, or would come again."""
    for part in holding.parts:
        if holding.dataset.is_raw and not part.path.endswith(LINES):
            yield f"{part.path} is no JSON Lines, so no cleaned copy is made; clean your own file"
        if part.in_git:
            yield f"{part.path} stands in Git itself ({part.in_git[:10]}); only rewriting history removes it"
    if holding.dataset.name == "data" and not _parents(request, holding) & request.roots:
        yield f"data {holding.dataset.dvc_id} holds what no raw file brought in: its stage makes it anew"


def _parents(request: Request, holding: Holding) -> set[str]:
    derivations = request.index.of_artifact(holding.dataset.dvc_id)
    return {dep.md5 for derivation in derivations for dep in request.index.inputs(derivation)}


def _settings_that_name_it(request: Request) -> int:
    runs = request.index.runs()
    names = [f"{run.commit}:params.yaml" for run in runs]
    texts = [text or "" for text in runs[0].git.contents(names).values()] if runs else []
    return sum(request.wanted.hide(text) != text for text in texts)


def _write_copies(request: Request) -> dict[tuple[str, str], Path]:
    """The cleaned raw files, where a person can name them: by the raw input's DVC id and the file's path in a run."""
    contents, cleaned = Bytes(request.root, request.store), request.tombstones.cleaned
    copies = {}
    for holding in request.found.holdings:
        for part in holding.parts if holding.dataset.is_raw else []:
            new = newest(cleaned, part.md5)
            content = contents.stored(Part(part.path, new)) if new else None
            if new and content is not None:
                copy = request.root / COPIES / new[:10] / PurePosixPath(part.path).name
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(content)
                copies[holding.dataset.dvc_id, part.path] = copy
    return copies


def _commands(request: Request, copies: dict[tuple[str, str], Path]) -> Iterator[str]:
    """A command for each live model, or else for the newest."""
    versions = request.reached.versions
    needed = [request.index.run(one.version.commit) for one in versions if one.aliases]
    tainted = request.tainted
    newest_run = [run for run in request.index.runs() if run.trailers["Policy"].partition("=")[2] in tainted][:1]
    for run in needed or newest_run:
        inputs = {dep["md5"] for entry in run.lock.values() for dep in entry.get("deps", []) if "md5" in dep}
        own = {path: copy for (oid, path), copy in copies.items() if oid in inputs}
        yield retraining(request.root, run, request.wanted, own)
