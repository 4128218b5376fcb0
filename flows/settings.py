"""The flows' parameters: every stage's settings, from which the Prefect UI draws its form."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from flows.planning.budget import BudgetConfig
from flows.round_settings import RoundConfig
from stemma.config import MachineConfig, Settings, Values, merged, parse_overrides, parse_settings, read_yaml
from stemma.errors import SettingsError
from stemma.promotion.settings import PromotionConfig
from stemma.stage.definition import PARAMS_FILE
from stemma.stage.resources import ResourcesConfig
from stemma.training.base_settings import BaseConfig
from tasks.ai_label import AiLabelConfig
from tasks.data import DataConfig
from tasks.dpo import DpoConfig
from tasks.eval import EvalConfig
from tasks.judge import JudgeConfig
from tasks.label import LabelConfig
from tasks.ppo import PpoConfig
from tasks.reward import RewardConfig
from tasks.sample import SampleConfig
from tasks.sft import SftConfig

ASK_PEOPLE = ("human", "mixed")
"""Values of label.source that need people's verdicts."""
FOLDED = "other_settings"
"""The field of the form that holds the sections which are seldom changed."""


class FlowMachineConfig(MachineConfig):
    """The machine section before the run has looked at the hardware."""

    device: Literal["auto", "cpu", "cuda"] = "auto"  # type: ignore[assignment]
    """Where the models live; auto takes a GPU where there is one, and what it took is recorded. The device in
    params.yaml is for plain `dvc repro` alone: it is part of every stage key, so it is never auto there."""


class RegistryConfig(Settings):
    """The registry section."""

    model: str = Field("policy", pattern=r"^[A-Za-z0-9_-]+$")
    """Name of the registered model in MLflow that gets a new version."""


class HumanConfig(Settings):
    """What people are asked where label.source is human or mixed."""

    batch: str = ""
    """A closed batch of the label store to take labels from; empty asks about fresh samples, in a batch of its own."""
    guidelines: str = "inputs/guidelines/helpful-honest-harmless.md"
    """What annotators are told: a Markdown file in the project."""
    pairs: int | None = Field(None, ge=1)
    """How many pairs of answers to ask about, the first of their order; empty asks about all."""
    order: Literal["random", "uncertain"] = "random"
    """Which pairs come first: left to chance, or those that the judges of ai_label, such as the reward model of an
    earlier run, are least sure of; one in five is left to chance all the same."""
    overlap: int = Field(1, ge=1)
    """How many people say what they think of a pair; agreement can be told from two on."""
    gold_share: float = Field(0.05, ge=0, lt=1)
    """Share of pairs with a known answer, which test the annotators and are no labels; default world only."""
    page: str = "http://127.0.0.1:8377"
    """Where people reach the page of `stemma label serve`, for the link in the Prefect UI."""


class FlowSettings(Settings):
    """The settings that both flows share."""

    seed: int = Field(0, ge=0, lt=2**31)
    """Every random choice of every stage follows from it."""
    machine: FlowMachineConfig = FlowMachineConfig()
    """What the machine decides."""
    data: DataConfig = DataConfig()
    """Prompts, demonstrations and comparisons."""
    base: BaseConfig = BaseConfig()
    """The model before any alignment."""
    sft: SftConfig = SftConfig()
    """Supervised fine-tuning on demonstrations."""
    sample: SampleConfig = SampleConfig()
    """Responses of the SFT policy, to be compared."""
    ai_label: AiLabelConfig = AiLabelConfig()
    """AI judges, and the constitution by which they compare responses."""
    label: LabelConfig = LabelConfig()
    """Who says which response is better."""
    human: HumanConfig = HumanConfig()
    """The batch that people label."""
    judge: JudgeConfig = JudgeConfig()
    """What scores answers at evaluation."""
    eval: EvalConfig = EvalConfig()
    """The evaluation on prompts never used for training."""
    registry: RegistryConfig = RegistryConfig()
    """Where the finished policy is registered."""
    budget: BudgetConfig = BudgetConfig()
    """What a run may spend."""
    resources: ResourcesConfig = ResourcesConfig()
    """What its stages need of the machine."""

    @model_validator(mode="before")
    @classmethod
    def _without_closed_sections(cls, values: Any) -> Any:
        """A section that the form leaves closed is not set: `flows.form_settings` fills it in.

        The sections in the form's field `other_settings` are settings like those beside it.
        """
        if not isinstance(values, Mapping):
            return values
        opened = _opened(values)
        folded = opened.get(FOLDED)
        if not isinstance(folded, Mapping):
            return opened
        inside, beside = _opened(folded), {name: value for name, value in opened.items() if name != FOLDED}
        twice = sorted(inside.keys() & beside.keys())
        if twice:
            raise ValueError(f"{' and '.join(twice)}: set both in {FOLDED} and beside it; leave one of the two out")
        return {**inside, **beside}

    @model_validator(mode="after")
    def _prompts_leave_room_for_answers(self) -> Self:
        """The data stage checks the user's prompts once, for every stage that samples."""
        sampling = ((name, getattr(self, name, None)) for name in ("sample", "ppo", "eval"))
        longer = [f"{name}.max_new_tokens" for name, stage in sampling if stage and self._is_longer(stage)]
        if self.data.files and longer:
            raise ValueError(
                f"data.answer_tokens ({self.data.answer_tokens}) is less than {' and '.join(longer)}; raise it, so "
                "that prompts that leave no room for an answer are found before anything trains"
            )
        return self

    def _is_longer(self, stage: SampleConfig | PpoConfig | EvalConfig) -> bool:
        return stage.max_new_tokens > self.data.answer_tokens


class RlhfSettings(FlowSettings):
    """Settings of the `rlhf` flow."""

    reward: RewardConfig = RewardConfig()
    """The reward model."""
    ppo: PpoConfig = PpoConfig()
    """Reinforcement learning from the reward model."""


class RlaifSettings(RlhfSettings):
    """Settings of the `rlaif` flow, which takes `ai` labels, or `mixed` ones."""

    label: LabelConfig = LabelConfig(source="ai")
    """Who says which response is better."""


class DpoSettings(FlowSettings):
    """Settings of the `dpo` flow."""

    dpo: DpoConfig = DpoConfig()
    """Direct preference optimisation."""


class RetrainSettings(RlhfSettings, DpoSettings):
    """Settings of the `retrain` flow."""

    round: RoundConfig = RoundConfig()
    """How the round goes on from what is there."""


class ProjectSettings(RetrainSettings):
    """Every section of params.yaml."""

    promotion: PromotionConfig = PromotionConfig()
    """What a policy must show before an alias moves to it."""

    @model_validator(mode="before")
    @classmethod
    def _without_closed_sections(cls, values: Any) -> Any:
        """In params.yaml a section is never closed: an empty one is a fault."""
        return values


def _opened(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def load_settings(root: Path, profile: str | None, overrides: Sequence[str]) -> ProjectSettings:
    """Read params.yaml, lay a profile and `--set` overrides over it, and check all of it at once.

    params.yaml's device is what plain `dvc repro` uses; a flow looks at the hardware afresh unless the profile or an
    override says otherwise.

    Raises SettingsError listing every fault.
    """
    values = of_any_machine(read_yaml(root / PARAMS_FILE))
    places = [PARAMS_FILE.name]
    if profile is not None:
        values = merged(values, _profile(root, profile))
        places.append(f"profile {profile}")
    if overrides:
        values = merged(values, parse_overrides(overrides))
        places.append("--set")
    return parse_settings(ProjectSettings, values, " with ".join(places))


def of_any_machine(values: Values) -> Values:
    """The values of a params.yaml without what plain `dvc repro` alone uses: its flows and its device."""
    machine = values.get("machine")
    if isinstance(machine, dict):
        values = {**values, "machine": {key: value for key, value in machine.items() if key != "device"}}
    return {key: value for key, value in values.items() if key != "flows"}


def registered_model(root: Path) -> str:
    """Name of the project's registered model; what else is wrong with params.yaml does not hold this up."""
    section = read_yaml(root / PARAMS_FILE).get("registry", {})
    return parse_settings(RegistryConfig, section, "params.yaml, section registry,").model


def stage_values(settings: FlowSettings) -> Values:
    """Settings as the values of params.yaml."""
    values: Values = settings.model_dump(mode="json")
    return values


def section(settings: FlowSettings, name: str) -> dict[str, Any]:
    """The settings that a stage's bytes depend on, by section."""
    values = stage_values(settings)
    return {key: values[key] for key in ("seed", "machine", name)}


def profiles(root: Path) -> list[str]:
    """The names of the project's profiles."""
    return sorted(file.stem for file in (root / "profiles").glob("*.yaml"))


def _profile(root: Path, name: str) -> Values:
    path = root / "profiles" / f"{name}.yaml"
    if not path.is_file():
        raise SettingsError(f"there is no profile {name!r}; there are: {', '.join(profiles(root))}")
    return read_yaml(path)
