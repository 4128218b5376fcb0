"""Which base model a run starts from."""

import re
from typing import Literal

from pydantic import model_validator

from stemma.training.pretrain_settings import PretrainSettings

COMMIT = re.compile(r"[0-9a-f]{40}")
TOKENIZER = "tokenizer"
"""The folder of artifacts/data that holds the tokenizer of a base from scratch, made of the user's own rows."""
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

    @property
    def title(self) -> str:
        """What messages call a base model that is fetched."""
        return f"{self.model} at commit {self.revision[:12]}" if self.source == "hub" else self.model
