"""A registered model in MLflow next to Git's: its versions, their tags and descriptions, and its aliases."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from stemma.errors import ServiceError
from stemma.lineage.registry import Version
from stemma.view.difference import OURS, Difference, tag_differences
from stemma.view.store import MlflowStore, paged
from stemma.view.version_facts import ModelFacts, VersionFacts

LOCK = Path(".stemma") / "mlflow-registry.lock"
"""Held by whoever changes versions or aliases in MLflow, so that what Git said last is written last."""

Child = Callable[[Version], str | None]
"""The id of the run in MLflow that shows the making of a version's policy; None where there is none yet."""


class ShownModel:
    """A registered model in MLflow, next to Git's."""

    def __init__(self, mlflow: MlflowStore, facts: ModelFacts) -> None:
        self._mlflow = mlflow
        self._client = mlflow.client
        self._facts = facts
        self._name = facts.registered.name
        self._model = self._find()
        versions = paged(lambda token: self._client.search_model_versions(f"name = '{self._name}'", page_token=token))
        self.versions: dict[int, Any] = {int(shown.version): shown for shown in versions}
        """What MLflow has, by number."""

    def missing(self) -> list[int]:
        """The versions that are not there."""
        return sorted(set(self._facts.versions) - set(self.versions))

    def unknown(self, drop: bool) -> Iterator[Difference]:
        """The versions that Git does not have; they are removed only where that is asked for."""
        for number in sorted(set(self.versions) - set(self._facts.versions)):
            mend = partial(self._client.delete_model_version, self._name, str(number)) if drop else None
            yield Difference(f"version {self._called(number)} is not in Git", mend)

    def follow(self) -> Iterator[Difference]:
        """Where tags and descriptions of the versions that are there differ, where the aliases and the page do."""
        for number in sorted(set(self.versions) & set(self._facts.versions)):
            yield from self._version_differences(number, self.versions[number], self._facts.versions[number])
        have = {alias: int(number) for alias, number in self._model.aliases.items()} if self._model else {}
        want = self._facts.registered.aliases
        for alias in sorted({*have, *want}):
            before, after = have.get(alias), want.get(alias)
            if before != after and (after is None or after in self.versions):
                words = f"alias {alias} of {self._name} is {_at(before)}, in Git {_at(after)}"
                yield Difference(words, partial(self._move, alias, after))
        yield from self._page_differences()

    def rebuild(self, child: Child, drop_unknown: bool) -> Iterator[Difference]:
        """Where versions are missing, or do not show these bytes and the run that made them."""
        models = self._mlflow.logged_models()
        ready = {number for number, facts in self._facts.versions.items() if child(facts.version)}
        missing = [number for number in self.missing() if number in ready]
        wrong = [n for n in sorted(ready & set(self.versions)) if not self._is_right(n, child, models)]
        if missing or wrong:
            told = [f"{n} is missing" for n in missing] + [f"{n} has another source" for n in wrong]
            words = f"{self._name}: version {', version '.join(told)}"
            fits = not wrong and missing[0] > max(self.versions, default=0)
            new = missing if fits else []
            yield Difference(words, lambda: self._bring_back(new, child, drop_unknown, models))

    def show(self, number: int, child: Child) -> bool:
        """Create a version where there is none of that number; returns whether it is there now."""
        if number in self.versions:
            return self._is_right(number, child, self._mlflow.logged_models())
        made = self._create(number, child)
        for difference in self._page_differences():
            difference.settle()
        return made

    def _create(self, number: int, child: Child) -> bool:
        """Create a version; where MLflow gives it another number it is taken away. Returns whether it is there now."""
        if self._model is None:
            self._model = self._client.create_registered_model(self._name, description=self._facts.description)
        facts = self._facts.versions[number]
        run = child(facts.version) or ""
        model = self._mlflow.logged_model(facts.version.stage, facts.version.artifact, run)
        tags = {**self._foreign_tags(number), **facts.tags}
        words = facts.description(self._mlflow.experiment, self._mlflow.parent_of(run))
        made = self._client.create_model_version(
            self._name, source=f"models:/{model}", run_id=run, tags=tags, description=words, model_id=model
        )
        if int(made.version) != number:
            self._client.delete_model_version(self._name, str(made.version))
        return int(made.version) == number

    def _bring_back(
        self, new: Sequence[int], child: Child, drop_unknown: bool, models: dict[str, tuple[str, str]]
    ) -> None:
        """Add the new versions, or where MLflow's count does not allow that, make the registered model anew.

        Raises ServiceError where that would take versions away that Git does not have.
        """
        if new and all(self._create(number, child) for number in new):
            return
        strange = [number for number in sorted(self.versions) if not self._is_ours(number, models)]
        if strange and not drop_unknown:
            raise ServiceError(
                f"MLflow counts versions by itself, so {self._name} has to be made anew there, and would lose what Git "
                f"does not have: {', '.join(map(self._called, strange))}. `stemma reconcile --drop-unknown` does that"
            )
        old, self._model = self._model, None
        if old:
            self._client.delete_registered_model(self._name)
            self._model = self._client.create_registered_model(self._name, old.tags, self._facts.description)
        for number in sorted(self._facts.versions):
            if child(self._facts.versions[number].version) and not self._create(number, child):
                raise ServiceError(f"MLflow does not give {self._name} the number {number}; reconcile again")

    def _version_differences(self, number: int, shown: Any, facts: VersionFacts) -> Iterator[Difference]:
        where, name, version = f"{self._name}/{number}", self._name, str(number)
        yield from tag_differences(
            where,
            shown.tags,
            facts.tags,
            partial(self._write_tags, version),
            partial(self._client.delete_model_version_tag, name, version),
        )
        words = facts.description(self._mlflow.experiment, self._mlflow.parent_of(shown.run_id))
        if shown.description != words:
            change = partial(self._client.update_model_version, name, version, words)
            yield Difference(f"{where}: its description is not what is on record", change)

    def _page_differences(self) -> Iterator[Difference]:
        if self._model and self._model.description != self._facts.description:
            change = partial(self._client.update_registered_model, self._name, self._facts.description)
            yield Difference(f"{self._name}: its description is not what is on record", change)

    def _is_right(self, number: int, child: Child, models: dict[str, tuple[str, str]]) -> bool:
        """Whether a version shows its policy's bytes, and the run that made them."""
        version, shown = self._facts.versions[number].version, self.versions[number]
        return shown.run_id == child(version) and _bytes(shown, models) == (version.stage, version.artifact)

    def _is_ours(self, number: int, models: dict[str, tuple[str, str]]) -> bool:
        """Whether Git has a version of the same bytes, so that nothing is lost with this one."""
        known = {facts.version.artifact for facts in self._facts.versions.values()}
        shown = self.versions[number]
        return _bytes(shown, models)[1] in known or shown.tags.get("stemma.dvc_id") in known

    def _foreign_tags(self, number: int) -> dict[str, str]:
        """The tags that people gave a version, which a version made anew keeps."""
        tags = self.versions[number].tags if number in self.versions else {}
        return {key: value for key, value in tags.items() if not key.startswith(OURS)}

    def _write_tags(self, version: str, tags: dict[str, str]) -> None:
        for key, value in tags.items():
            self._client.set_model_version_tag(self._name, version, key, value)

    def _move(self, alias: str, to: int | None) -> None:
        if to is None:
            self._client.delete_registered_model_alias(self._name, alias)
        else:
            self._client.set_registered_model_alias(self._name, alias, str(to))

    def _called(self, number: int) -> str:
        shown = self.versions[number]
        return f"{self._name}/{number} (source {shown.source}, run {shown.run_id or 'none'})"

    def _find(self) -> Any:
        from mlflow.exceptions import MlflowException

        try:
            return self._client.get_registered_model(self._name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None


def _bytes(shown: Any, models: dict[str, tuple[str, str]]) -> tuple[str, str]:
    """Stage and DVC id of what a version shows; empty where it is none of our models."""
    return models.get(str(shown.source).removeprefix("models:/"), ("", ""))


def _at(number: int | None) -> str:
    return "nowhere" if number is None else f"at version {number}"
