"""The base model: pre-trained from nothing on the data's corpus, or fetched at one commit and recorded."""

import re
from pathlib import Path
from typing import Any, Literal

from pydantic import model_validator

from stemma.errors import DataError
from stemma.records.json_file import write_json
from stemma.records.jsonl import read_rows
from stemma.records.types import Demonstration, Document
from stemma.stage.door import Stage, run_stage
from stemma.training.pretrain_settings import PretrainSettings

COMMIT = re.compile(r"[0-9a-f]{40}")
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


class BaseConfig(PretrainSettings):
    """Where the base model comes from; the other settings count where it is pre-trained from scratch."""

    source: Literal["scratch", "hub", "folder"] = "scratch"
    """`scratch` pre-trains on the data's corpus; `hub` fetches `model` at `revision`; `folder` takes a local one."""
    model: str = ""
    """The Hub repository, such as `Qwen/Qwen2.5-0.5B-Instruct`, or the folder."""
    revision: str = ""
    """The repository's commit in full (40 hexadecimal digits); for a folder its content's digest, which is told."""

    @model_validator(mode="after")
    def _names_one_content(self) -> "BaseConfig":
        if self.source == "scratch":
            return self
        if not self.model:
            raise ValueError(f"source {self.source} needs a model; name it")
        if self.source == "hub" and not REPOSITORY.fullmatch(self.model):
            raise ValueError(f"model {self.model!r} is not a Hub repository; write it as owner/name")
        if not COMMIT.fullmatch(self.revision):
            raise ValueError(
                f"revision {self.revision!r} is not a full commit hash of 40 hexadecimal digits; branches and tags "
                "move, so that the same settings would give another model"
            )
        return self


def make_base(config: BaseConfig, stage: Stage) -> None:
    """Leave a model folder with source.json, which says what it was made from."""
    make = _pretrain if config.source == "scratch" else _fetch
    write_json(stage.output / "source.json", {"source": config.source, **make(config, stage)})


def _pretrain(config: BaseConfig, stage: Stage) -> dict[str, Any]:
    from stemma.training.from_scratch import make_from_scratch

    data = stage.input("data")
    documents = read_rows(data / "corpus.jsonl", Document)
    if not documents:
        raise DataError(
            f"{data / 'corpus.jsonl'} is empty, so there is nothing to pre-train on; set base.source to hub, with "
            "base.model and base.revision, or add documents to data.files"
        )
    probe = read_rows(data / "probe.jsonl", Demonstration)
    stage.progress.say(f"{len(documents)} documents, {len(probe)} probe questions")
    made = make_from_scratch(documents, probe, config, stage)
    stage.progress.say(", ".join(f"{name} {number:g}" for name, number in made.items()))
    return made


def _fetch(config: BaseConfig, stage: Stage) -> dict[str, Any]:
    from stemma.models.adoption import adopt
    from stemma.models.hub import check_folder, fetch, taken_files
    from stemma.models.policy import save_policy
    from stemma.models.seeding import seed_everything

    seed_everything(stage.seed, stage.machine.threads)
    if config.source == "hub":
        stage.progress.say(f"fetches {config.model} at {config.revision}")
        folder = fetch(config.model, config.revision)
    else:
        folder = check_folder(Path(config.model), config.revision)
    files = taken_files(folder)
    model, tokenizer = adopt(folder)
    save_policy(model, tokenizer, stage.output)
    where = {"model": config.model} if config.source == "hub" else {}
    return {**where, "revision": config.revision, "sha256": files}


if __name__ == "__main__":
    run_stage("base", BaseConfig, make_base)
