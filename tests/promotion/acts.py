"""Acts on a made-up project, as the command line would carry them out."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from stemma.lineage.index import Index
from stemma.lineage.names import find_model
from stemma.lineage.registry import Registry
from stemma.lineage.store import Store
from stemma.promotion.act import promote, roll_back
from stemma.promotion.move import Desk, Moved, hear
from stemma.promotion.settings import PromotionConfig
from tests.policies import MODEL, Policies


@contextmanager
def desk_of(policies: Policies, config: PromotionConfig | None = None, urgent: bool = False) -> Iterator[Desk]:
    registry = Registry(policies.path, MODEL)
    hear(policies.path, registry, urgent)
    with closing(Index(policies.path)) as index, Store(policies.path) as store:
        settings = config or PromotionConfig()
        yield Desk(
            policies.path,
            index,
            store,
            registry,
            settings,
            verify=lambda *_: None,
            check_loadable=lambda _: None,
            follow=lambda: None,
        )


def promoted(policies: Policies, name: str, config: PromotionConfig | None = None, force: bool = False) -> Moved:
    with desk_of(policies, config) as open_desk:
        model = find_model(policies.path, open_desk.index, name)
        return promote(open_desk, model, "champion", f"{name} is the best yet", force)


def rolled_back(policies: Policies, to: int | None = None) -> Moved:
    with desk_of(policies, urgent=True) as open_desk:
        versions = open_desk.registry.read().versions
        return roll_back(open_desk, versions[to] if to else None, "answers got worse")
