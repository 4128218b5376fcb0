"""The data stage: the user's files, or the default world, as rows that the other stages read."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator, model_validator

from stemma.config import Settings, parse_settings, read_yaml
from stemma.errors import DataError, StemmaError
from stemma.records.counting import counted
from stemma.records.dataset import Dataset
from stemma.records.json_file import write_json
from stemma.records.jsonl import write_rows
from stemma.records.own_data import make_dataset
from stemma.records.reading import Reading, read_files
from stemma.records.recognition import read_example
from stemma.records.slices import check_slices, slice_reader
from stemma.records.types import Reject, Split
from stemma.stage.definition import PARAMS_FILE
from stemma.stage.door import Stage, run_stage
from stemma.training.base_settings import TOKENIZER, BaseConfig
from stemma.world.settings import WorldConfig
from stemma.world.world import make_world

if TYPE_CHECKING:
    from stemma.training.row_fit import RowLimits

INPUTS = PurePosixPath("inputs/data")
REJECTS = "rejects.jsonl"


class DataConfig(Settings):
    """Which data the models are made from."""

    files: tuple[str, ...] = ()
    """Your files; a run copies them to `inputs/data/` and versions them. With none, the default world is made."""
    ignored_fields: tuple[str, ...] = ()
    """Fields of your rows to leave out, such as an id, before the rows' form is recognised."""
    slice_field: str = ""
    """A field of your rows whose values are slices of your data, such as a topic or a source: the accuracy of the
    reward model and of the judge is measured on each slice too. The field need not belong to the rows' form."""
    max_tokens: int | None = Field(None, ge=8)
    """Most tokens of a row, prompt and answer together, by the base model's tokenizer; empty takes its context."""
    answer_tokens: int = Field(24, ge=1)
    """Tokens that a prompt must leave free for a sampled answer; no stage's max_new_tokens may be greater."""
    too_long: Literal["reject", "drop_turns"] = "reject"
    """What becomes of rows that are too long: they are rejected, or lose their oldest exchanges until they fit."""
    max_rejected_share: float = Field(0.05, ge=0, le=1)
    """The stage fails where more than this share of your rows is rejected."""
    judge_share: float = Field(0.2, ge=0, lt=1)
    """Share of your prompts whose comparisons train the judge of the final evaluation, and nothing else."""
    validation_share: float = Field(0.1, ge=0, lt=1)
    """Share of your prompts that is held out for choosing settings."""
    test_share: float = Field(0.1, ge=0, lt=1)
    """Share of your prompts that is held out for the final evaluation."""
    world: WorldConfig = WorldConfig()
    """The default world."""

    @field_validator("files")
    @classmethod
    def _are_different(cls, files: tuple[str, ...]) -> tuple[str, ...]:
        if len({PurePosixPath(name) for name in files}) < len(files):
            raise ValueError("a file is named twice; name it once")
        return files

    @model_validator(mode="after")
    def _something_is_left_to_train_on(self) -> "DataConfig":
        if sum(self.shares.values()) >= 1:
            raise ValueError("judge_share, validation_share and test_share leave nothing to train on; lower them")
        return self

    @model_validator(mode="after")
    def _an_answer_fits(self) -> "DataConfig":
        if self.max_tokens is not None and self.answer_tokens >= self.max_tokens:
            raise ValueError(
                f"answer_tokens ({self.answer_tokens}) must be less than max_tokens ({self.max_tokens}): raise "
                "max_tokens, or lower answer_tokens"
            )
        return self

    @property
    def shares(self) -> Mapping[Split, float]:
        """The shares of the held-out splits."""
        return {"judge": self.judge_share, "validation": self.validation_share, "test": self.test_share}


def prepare_data(config: DataConfig, stage: Stage) -> None:
    """Write the rows, the rejects, and a report that counts both."""
    if config.files:
        _prepare_own_data(config, stage)
    else:
        _write(stage, make_world(stage.seed, config.world), {"gold": True})
        write_rows(stage.output / REJECTS, [])


def _prepare_own_data(config: DataConfig, stage: Stage) -> None:
    _check_under_inputs(config.files)
    paths = {str(PurePosixPath(name).relative_to(INPUTS)): Path(name) for name in config.files}
    base = parse_settings(BaseConfig, read_yaml(PARAMS_FILE).get("base", {}), "params.yaml, section base,")
    own = read_own_data(paths, config)
    with _rejects_kept(own.reading.rejects, stage.scratch / REJECTS):
        own = fit_own_data(own, config, base)
        own.check(config)
    rejects = own.reading.rejects
    if rejects:
        stage.progress.say(
            f"{counted(len(rejects), 'row')} {'was' if len(rejects) == 1 else 'were'} rejected; "
            "artifacts/data/rejects.jsonl says why"
        )
    _write(stage, own.dataset, own.report())
    write_rows(stage.output / REJECTS, rejects)
    if own.limits and own.limits.source == "scratch":
        own.save_tokenizer(stage.output / TOKENIZER)


@contextmanager
def _rejects_kept(rejects: Sequence[Reject], file: Path) -> Iterator[None]:
    """Write the rejected rows, as many as there are by then, to a file if the run is refused, and name it.

    The artifact of a refused run is thrown away; the scratch folder, in which the file lies, stays.
    """
    try:
        yield
    except StemmaError as error:
        if not rejects:
            raise
        write_rows(file, rejects)
        raise type(error)(f"{error}\nAll rejected rows: {file.resolve()}") from error


@dataclass(frozen=True)
class OwnData:
    """The user's files, as they were read."""

    reading: Reading
    dataset: Dataset
    limits: "RowLimits | None" = None
    """What the base model can read; None where no row was taken, or none was compared with it yet."""
    tokens: Mapping[str, float] = field(default_factory=dict)
    """How long the rows are, the rejected ones too."""

    def check(self, config: DataConfig) -> None:
        """Raise DataError where too few rows are left, or none to train on."""
        self.reading.check(config.max_rejected_share, remedy=f"Mend the rows{self._remedy_for_lengths(config)}")
        check_slices(self.reading.examples, config.slice_field)
        _check_training_prompts(self.dataset)

    def _remedy_for_lengths(self, config: DataConfig) -> str:
        limits = self.limits
        if limits is None or not any(limits.limit in reject.reason for reject in self.reading.rejects):
            return ""
        longest = f"; for rows that are too long (up to {self.tokens['longest']:g} tokens) {limits.remedy}"
        return longest if config.too_long == "drop_turns" else f"{longest}, or set data.too_long to drop_turns"

    def report(self) -> dict[str, Any]:
        """What report.json says of the files."""
        limit = {"limit": self.limits.limit, **self.tokens} if self.limits else {}
        return {
            "gold": False,
            "files": self.reading.files,
            "rejected": self.reading.rejected_reasons(),
            "tokens": limit,
        }

    def save_tokenizer(self, folder: Path) -> None:
        """Save the tokenizer that was made of the rows."""
        from stemma.models.tokenizer import save_tokenizer

        if self.limits:
            folder.mkdir()
            save_tokenizer(self.limits.tokenizer, folder)


def read_own_data(paths: Mapping[str, Path], config: DataConfig) -> OwnData:
    """Read the files, and reject rows of no known form; `paths` gives each file's name in reports.

    Raises DataError where a file as a whole cannot be read.
    """
    reader = slice_reader(partial(read_example, ignored=config.ignored_fields), config.slice_field)
    reading = read_files(paths, read=reader)
    return OwnData(reading, make_dataset(reading.examples, config.shares))


def fit_own_data(own: OwnData, config: DataConfig, base: BaseConfig) -> OwnData:
    """Reject the rows that the base cannot read, in `own.reading` too; nothing is trained.

    Raises DataError where training would have no prompt, or a base from scratch nothing to learn from; for a base that
    is fetched, ArtifactError, ServiceError or SettingsError where it cannot be had or loaded.
    """
    from stemma.training.row_fit import measure_rows, row_limits, shorten_rows

    reading = own.reading
    if not reading.examples:
        return own
    _check_training_prompts(own.dataset)
    limits = row_limits(base, own.dataset.corpus, config.max_tokens, config.answer_tokens)
    if config.too_long == "drop_turns":
        reading.examples = shorten_rows(reading.examples, limits)
    measured = measure_rows(reading.examples, limits)
    reading.reject(measured.faults)
    return OwnData(reading, make_dataset(reading.examples, config.shares), limits, measured.summary())


def _check_under_inputs(files: Sequence[str]) -> None:
    """What lies elsewhere is no dependency of the stage, so a change of it would go unseen."""
    for name in files:
        path = PurePosixPath(name)
        if INPUTS not in path.parents or ".." in path.parts:
            raise DataError(
                f"data.files: {name!r} does not lie under {INPUTS}/; copy it there and `dvc add` it, "
                "or use `stemma run`, which takes files in from anywhere"
            )


def _check_training_prompts(dataset: Dataset) -> None:
    if dataset.prompts and all(prompt.split != "train" for prompt in dataset.prompts):
        raise DataError(
            f"of {counted(len(dataset.prompts), 'prompt')} none falls into the train split, so training has no prompt: "
            "add rows, or lower data.judge_share, data.validation_share and data.test_share"
        )


def _write(stage: Stage, dataset: Dataset, report: Mapping[str, Any]) -> None:
    dataset.write(stage.output)
    write_json(stage.output / "report.json", {**report, **dataset.counts()})


if __name__ == "__main__":
    run_stage("data", DataConfig, prepare_data)
