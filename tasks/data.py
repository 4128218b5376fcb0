"""The data stage: the user's files, or the default world, as rows that the other stages read."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import Field, field_validator, model_validator

from stemma.config import Settings
from stemma.errors import DataError
from stemma.records.dataset import Dataset
from stemma.records.json_file import write_json
from stemma.records.jsonl import write_rows
from stemma.records.own_data import make_dataset
from stemma.records.reading import Limits, read_files
from stemma.records.recognition import read_example
from stemma.records.slices import check_slices, slice_reader
from stemma.records.types import Split
from stemma.stage.door import Stage, run_stage
from stemma.world.settings import WorldConfig
from stemma.world.world import make_world

INPUTS = PurePosixPath("inputs/data")


class DataConfig(Settings):
    """Which data the models are made from."""

    files: tuple[str, ...] = ()
    """Your files; a run copies them to `inputs/data/` and versions them. With none, the default world is made."""
    ignored_fields: tuple[str, ...] = ()
    """Fields of your rows to leave out, such as an id, before the rows' form is recognised."""
    slice_field: str = ""
    """A field of your rows whose values are slices of your data, such as a topic or a source: the accuracy of the
    reward model and of the judge is measured on each slice too. The field need not belong to the rows' form."""
    max_prompt_chars: int = Field(8000, ge=1)
    """Rows whose prompt is longer than this are rejected; four characters are about a token."""
    max_answer_chars: int = Field(8000, ge=1)
    """Rows with an answer longer than this are rejected; with the prompt it must fit the model's context."""
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
        write_rows(stage.output / "rejects.jsonl", [])


def _prepare_own_data(config: DataConfig, stage: Stage) -> None:
    _check_under_inputs(config.files)
    paths = {str(PurePosixPath(name).relative_to(INPUTS)): Path(name) for name in config.files}
    limits = Limits(config.max_prompt_chars, config.max_answer_chars)
    reader = slice_reader(partial(read_example, ignored=config.ignored_fields), config.slice_field)
    reading = read_files(paths, limits, reader)
    reading.check(config.max_rejected_share)
    check_slices(reading.examples, config.slice_field)
    if reading.rejects:
        stage.progress.say(f"{len(reading.rejects)} rows were rejected; artifacts/data/rejects.jsonl says why")
    dataset = make_dataset(reading.examples, config.shares)
    _check_training_prompts(dataset)
    _write(stage, dataset, {"gold": False, "files": reading.files, "rejected": reading.rejected_reasons()})
    write_rows(stage.output / "rejects.jsonl", reading.rejects)


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
            f"all {len(dataset.prompts)} prompts fall into held-out splits, which leaves none to train on; "
            "add rows, or lower data.judge_share, data.validation_share and data.test_share"
        )


def _write(stage: Stage, dataset: Dataset, report: Mapping[str, Any]) -> None:
    dataset.write(stage.output)
    write_json(stage.output / "report.json", {**report, **dataset.counts()})


if __name__ == "__main__":
    run_stage("data", DataConfig, prepare_data)
