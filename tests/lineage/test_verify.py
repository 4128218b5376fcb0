"""Verify finds every fault and names it rightly, and finds none where there is none."""

import random
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from stemma.lineage.index import Index
from stemma.lineage.names import find_model
from stemma.lineage.registry import Registry
from stemma.lineage.served import copy_of, link_of
from stemma.lineage.store import Store
from stemma.verification.fault import Kind
from stemma.verification.repair import mend
from stemma.verification.subject import Subject
from stemma.verification.verify import Verdict, quiet, verify
from stemma.view.reconcile import follow
from stemma.view.version_facts import version_tags
from tests.damage import MODEL, Damage, Injected
from tests.whole_family import WholeProject

Shown = tuple[WholeProject, Path, MlflowClient]
"""A project, the objects on its remote, and its MLflow."""


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """Twelve runs, four of them registered, with aliases, served files, remotes and MLflow."""
    whole = WholeProject(tmp_path_factory.mktemp("whole") / "project", seed=1)
    for number in range(12):
        whole.add(f"run-{number}")
    whole.save()
    registry = Registry(whole.path, MODEL)
    client = MlflowClient(f"sqlite:///{whole.path / 'mlflow.db'}")
    client.create_registered_model(MODEL)
    for run in whole.runs[:4]:
        registry.register(run.name, whole.commits[run.name], "ppo", run.policy)
        client.create_model_version(MODEL, f"dvc://{run.policy}")
    for number in (1, 2):
        before = registry.read().aliases.get("champion")
        moves = {"champion": number, **({"previous": before} if before else {})}
        registry.move(registry.head(), f"promote {number}", {"act": "promote", "moves": moves})
    with closing(Index(whole.path)) as index:
        for number, tags in version_tags(whole.path, index, MODEL).items():
            for key, value in tags.items():
                client.set_model_version_tag(MODEL, str(number), key, value)
    for alias, number in registry.read().aliases.items():
        client.set_registered_model_alias(MODEL, alias, str(number))
        serve(whole, alias, whole.runs[number - 1].policy)
    return whole, whole.add_remotes(), client


def serve(whole: WholeProject, alias: str, artifact: str) -> None:
    folder = copy_of(whole.path, artifact)
    folder.mkdir(parents=True)
    for path, oid in whole.objects(artifact).items():
        if path:
            shutil.copyfile(whole.project.place(oid), folder / path)
    link = link_of(whole.path, MODEL, alias)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(Path("..", ".versions") / artifact)


def verdict(path: Path, store: Store, model: str, remote: bool = False) -> Verdict:
    with closing(Index(path)) as index:
        return verify(Subject(path, index, store, find_model(path, index, model), quiet), remote)


def test_each_of_200_random_faults_is_found_and_named_rightly(shown: Shown) -> None:
    """A damaged object and something else at once, 75 times; 50 times a dvc.lock that was edited."""
    whole, objects, client = shown
    damage = Damage(whole, objects, client, random.Random(7))  # noqa: S311 -- a test's dice
    with Store(whole.path) as store:
        for number in range(75):
            of_record, of_bytes = damage.pairs[number % len(damage.pairs)]
            first = of_record()
            check(whole, store, [first, of_bytes(first.model)])
        for _ in range(50):
            check(whole, store, [damage.lock()])
        for model in (f"{MODEL}@champion", f"{MODEL}/4", "run-11"):
            assert not verdict(whole.path, store, model, remote=True).faults


def check(whole: WholeProject, store: Store, injected: list[Injected]) -> None:
    """Verify, and mend the faults again: each must be told, and nothing else but what comes of them."""
    found = verdict(whole.path, store, injected[0].model, any(one.remote for one in injected))
    for one in reversed(injected):
        one.undo()
    for one in injected:
        assert any(map(one.is_told, found.faults)), (one, found.faults)
    for fault in found.faults:
        assert any(one.is_told(fault) or one.may_follow(fault) for one in injected), (fault, injected)


def test_every_live_model_that_damage_touches_is_named(shown: Shown) -> None:
    whole, objects, client = shown
    damage = Damage(whole, objects, client, random.Random(8))  # noqa: S311 -- a test's dice
    live = {f"{MODEL}@{alias}": damage.policy_of(f"{MODEL}@{alias}") for alias in damage.registry.read().aliases}
    with Store(whole.path) as store:
        for run in whole.runs:
            injected = damage.cache_object(run.name)
            found = verdict(whole.path, store, run.name)
            injected.undo()
            (fault,) = found.faults
            broken = whole.holders(run.policy)[fault.oid]
            touched = {alias for alias, policy in live.items() if broken & whole.ancestors(policy)}
            assert {model.name for model in found.live} == touched
            assert found.edge
            assert not (whole.ancestors(found.edge.parent.dvc_id) - {found.edge.parent.dvc_id}) & broken


def test_what_mlflow_shows_wrongly_is_mended(shown: Shown) -> None:
    whole, objects, client = shown
    damage = Damage(whole, objects, client, random.Random(9))  # noqa: S311 -- a test's dice
    damage.tag()
    damage.mlflow_alias()
    with Store(whole.path) as store:
        found = verdict(whole.path, store, f"{MODEL}@champion")
        assert {fault.kind for fault in found.faults} == {Kind.TAG, Kind.ALIAS}
        with closing(Index(whole.path)) as index:
            subject = Subject(whole.path, index, store, find_model(whole.path, index, f"{MODEL}@champion"), quiet)
            mended, _ = mend(verify(subject), lambda: follow(whole.path, MODEL, {}))
        assert not mended.faults


def test_200_clean_trees_raise_no_alarm(tmp_path: Path) -> None:
    whole = WholeProject(tmp_path / "project", seed=2)
    for number in range(200):
        whole.add(f"run-{number}")
    whole.save()
    registry = Registry(whole.path, MODEL)
    for run in whole.runs[::20]:
        version = registry.register(run.name, whole.commits[run.name], "ppo", run.policy)
        registry.move(registry.head(), "promote", {"act": "promote", "moves": {"champion": version.number}})
    serve(whole, "champion", run.policy)
    whole.add_remotes()
    with closing(Index(whole.path)) as index, Store(whole.path) as store:
        for number, run in enumerate(whole.runs):
            if number % 4 == 0:
                (whole.path / "dvc.lock").write_text(whole.runs[number // 2].contents()["dvc.lock"])
            model = find_model(whole.path, index, run.name)
            found = verify(Subject(whole.path, index, store, model, quiet), remote=number % 20 == 0)
            assert not found.faults, (run.name, found.faults)
            assert {member.dvc_id for member in found.subject.members} == whole.ancestors(run.policy)
