"""Promotion and rollback as a person starts them, with the project's settings: from the command line or a flow."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from flows.events import PROMOTED, REFUSED, ROLLED_BACK, tell
from flows.settings import ProjectSettings, load_settings, registered_model, stage_values
from stemma.errors import ArtifactError
from stemma.lineage.history import moves_of, moves_page
from stemma.lineage.index import Index, open_index
from stemma.lineage.names import Model, find_model, find_version
from stemma.lineage.registry import Registry
from stemma.lineage.store import Store
from stemma.promotion.act import RefusedError, promote, roll_back
from stemma.promotion.move import Desk, Moved, hear
from stemma.promotion.settings import PromotionConfig


def promote_model(root: Path, name: str, alias: str, reason: str, force: bool, asked_by: str = "") -> str:
    """Promote a model and tell what happened, to Prefect's server too.

    Raises StemmaError where the promotion is refused.
    """
    settings = load_settings(root, None, [])
    registry = Registry(root, _registered_model(root, name))
    hear(root, registry)
    with _desk(registry, root, settings.promotion, asked_by) as desk:
        try:
            moved = promote(desk, find_model(root, desk.index, name), alias, reason, force)
        except RefusedError as error:
            tell(root, REFUSED, _resource(registry), str(error), model=name, alias=alias, reason=reason)
            raise
        return _tell(desk, moved, PROMOTED, reason)


def roll_back_model(root: Path, to: str | None, reason: str, asked_by: str = "") -> str:
    """Roll the champion back and tell what happened, to Prefect's server too.

    Raises StemmaError where there is nothing to go back to.
    """
    # A bare number is a version of the model that registry.model of params.yaml names.
    registry = Registry(root, _registered_model(root, to) if to and not to.isdecimal() else registered_model(root))
    hear(root, registry, urgent=True)
    with _desk(registry, root, PromotionConfig(), asked_by) as desk:
        target = find_version(root, desk.index, f"{registry.model}/{to}" if to.isdecimal() else to) if to else None
        return _tell(desk, roll_back(desk, target.version if target else None, reason), ROLLED_BACK, reason)


def _registered_model(root: Path, name: str) -> str:
    """The registered model of NAME/VERSION, NAME@ALIAS or a run; else what registry.model of params.yaml names."""
    model, *version = re.split("[@/]", name, maxsplit=1)
    if version:
        return model
    with closing(open_index(root)) as index:
        runs = index.runs_named(name)
    return next(
        (str(run.params["registry"]["model"]) for run in runs if "registry" in run.params), registered_model(root)
    )


@contextmanager
def _desk(registry: Registry, root: Path, config: PromotionConfig, asked_by: str) -> Iterator[Desk]:
    from stemma.serving.loading import check_loadable
    from stemma.view.reconcile import follow

    defaults = stage_values(ProjectSettings())
    with closing(open_index(root)) as index, Store(root) as store:
        verify = partial(_verify, root, index, store)
        mirror = partial(follow, root, registry.model, defaults)
        yield Desk(root, index, store, registry, config, verify, check_loadable, mirror, asked_by)


def _tell(desk: Desk, moved: Moved, event: str, reason: str) -> str:
    """What is told of an act, to whoever started it and, where an alias moved, to Prefect's server."""
    words = _told(desk, moved)
    if moved.before != moved.after:
        facts = {"alias": moved.alias, "before": moved.before, "after": moved.after, "reason": reason}
        tell(desk.root, event, _resource(desk.registry), words, **facts)
    return words


def _resource(registry: Registry) -> dict[str, str]:
    return {"id": f"stemma.model.{registry.model}", "name": registry.model}


def _verify(root: Path, index: Index, store: Store, model: Model) -> None:
    from stemma.verification.bringing import bring_family
    from stemma.verification.verify import verify_family

    # Whoever acts need not be the machine that trained.
    bring_family(root, index, store, model)
    faults = verify_family(root, index, store, model, remote=store.remote is not None)
    if faults:
        told = "\n".join(f"  {fault.place}: {fault.words}; {fault.remedy}" for fault in faults[:5])
        where = " --remote" if store.remote else ""
        raise ArtifactError(
            f"the family of {model.title} does not verify, faults: {len(faults)}\n{told}\n"
            f"`stemma verify {model.run.name}{where} --repair` tells all, and mends what can be mended"
        )


def _told(desk: Desk, moved: Moved) -> str:
    if moved.before == moved.after:
        lines = [f"{moved.after} is {moved.alias} already; nothing moved"]
    else:
        lines = [moves_page(moves_of(desk.root, desk.registry.model, moved.alias)[-1:])]
    served = moved.served.relative_to(desk.root)
    if moved.served.is_symlink():
        lines.append(f"  serving reads {served} → {moved.served.readlink()}")
    return "\n".join([*lines, *(f"  {note}" for note in moved.notes)])
