"""A family that another machine made is brought from the DVC remote; what is damaged stays to be found."""

from contextlib import closing
from pathlib import Path

from stemma.lineage.index import Index
from stemma.lineage.names import find_model
from stemma.lineage.store import Store
from stemma.verification.bringing import bring_family
from stemma.verification.verify import verify_family
from tests.whole_family import WholeProject


def test_what_the_cache_lacks_comes_and_what_it_has_stays(tmp_path: Path) -> None:
    whole = WholeProject(tmp_path / "project", seed=3)
    for number in range(3):
        whole.add(f"run-{number}")
    whole.save()
    whole.add_remotes()
    cached = [place for place in sorted(whole.project.cache.rglob("*")) if place.is_file()]
    policy = whole.project.place(whole.runs[-1].policy)
    damaged = next(whole.project.place(oid) for path, oid in whole.objects(whole.runs[-1].policy).items() if path)
    for place in cached:
        if place not in (policy, damaged):
            place.unlink()
    damaged.chmod(0o644)
    damaged.write_bytes(b"not what it was")
    with closing(Index(whole.path)) as index, Store(whole.path) as store:
        model = find_model(whole.path, index, "run-2")
        assert len(verify_family(whole.path, index, store, model)) > 5
        assert bring_family(whole.path, index, store, model) > 5
        assert bring_family(whole.path, index, store, model) == 0
        (fault,) = [one for one in verify_family(whole.path, index, store, model) if one.oid]
    assert fault.place == str(damaged)
