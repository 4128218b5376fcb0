"""The settings of one flow out of all that params.yaml holds."""

from typing import TypeVar

from flows.settings import FlowSettings, ProjectSettings, RlaifSettings

S = TypeVar("S", bound=FlowSettings)


def settings_of(kind: type[S], settings: ProjectSettings) -> S:
    """The sections that a flow takes; `rlaif` takes AI judges' labels, unless they are mixed with people's."""
    values = settings.model_dump()
    if issubclass(kind, RlaifSettings) and settings.label.source != "mixed":
        values["label"]["source"] = "ai"
    return kind.model_validate({key: values[key] for key in kind.model_fields})
