"""The AI judges that may compare answers, as settings."""

from typing import Annotated, Literal

from pydantic import Field, HttpUrl, field_validator, model_validator

from stemma.config import Settings

Sha256 = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
"""A sha256 in hexadecimal, or empty where it is still to be told."""
FEWEST_TO_REASON = 32
VARIABLE = r"^([A-Za-z_][A-Za-z0-9_]*)?$"


class NamedJudge(Settings):
    """What every judge has."""

    name: str = Field(min_length=1, max_length=80)
    """Who gave a verdict, in the records."""


class EndpointConfig(NamedJudge):
    """A model behind an OpenAI-compatible /v1/chat/completions: vLLM, `transformers serve`, or a hosted one."""

    kind: Literal["endpoint"]
    """What it is."""
    base_url: str
    """Its address up to and with /v1, such as http://127.0.0.1:8000/v1."""
    model: str = Field(min_length=1)
    """The name by which the server knows the model."""
    version: str = ""
    """Which version of it is served, in your words, such as its weights' hash. Answers are remembered by model and
    version; where this is empty, by the address too, for another server may serve another model by the same name."""
    api_key_variable: str = Field("", pattern=VARIABLE)
    """The environment variable that holds the key; the key itself is never written anywhere."""
    reasoning: bool = False
    """Let it reason before its verdict."""
    temperature: float = Field(0.0, ge=0, le=2)
    """Of sampling; 0 takes the likeliest answer."""
    max_tokens: int = Field(8, ge=1)
    """The most tokens of one answer; reasoning needs a few hundred."""
    samples: int = Field(1, ge=1, le=32)
    """How often each order is asked, each time with another seed; from 2 on, its self-consistency can be told."""
    logprobs: bool = True
    """Take the probabilities of its verdict tokens, where the server tells them; otherwise its words alone."""
    concurrency: int = Field(8, ge=1, le=256)
    """Requests under way at once."""
    timeout: float = Field(60.0, gt=0)
    """Seconds until a request is given up and asked again."""
    attempts: int = Field(5, ge=1, le=20)
    """How often a question is asked until it has an answer that can be read."""
    most_requests: int = Field(0, ge=0)
    """The stage stops before it sends more requests than this; 0 is no limit. What is answered is kept."""
    most_tokens: int = Field(0, ge=0)
    """The stage stops when the server has told of this many tokens, prompts included; 0 is no limit."""

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        told = HttpUrl(url)
        if told.username or told.password:
            raise ValueError("an address must not hold a password; name an environment variable in api_key_variable")
        if told.query is not None or told.fragment is not None:
            raise ValueError("an address must end with its path, such as /v1; a key goes into api_key_variable")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _has_room_to_reason(self) -> "EndpointConfig":
        if self.reasoning and self.max_tokens < FEWEST_TO_REASON:
            raise ValueError(f"reasoning does not fit max_tokens {self.max_tokens}; give it some hundreds")
        return self


class LocalConfig(NamedJudge):
    """A language model on this machine, scored by its verdict tokens' log-probabilities (Lee et al. 2023, §2.1)."""

    kind: Literal["local"]
    """What it is."""
    model: str = Field(min_length=1)
    """Its folder, or a Hub repository such as `Qwen/Qwen2.5-7B-Instruct`."""
    revision: str = Field("", pattern=r"^([0-9a-f]{40})?$")
    """The Hub repository's commit in full; empty for a folder."""
    weights_sha256: Sha256 = ""
    """The hash of a folder's content; a flow looks it up when it starts, and the stage refuses another content."""
    reasoning: bool = False
    """Let it reason before its verdict."""
    max_tokens: int = Field(256, ge=1)
    """The most tokens of its reasoning."""
    batch_size: int = Field(16, ge=1)
    """Questions read at once."""


class RewardModelConfig(NamedJudge):
    """A reward model of Stemma's: the first answer is better with a chance of σ(r₁ − r₂) (Bradley and Terry 1952)."""

    kind: Literal["reward_model"]
    """What it is."""
    model: str = Field(min_length=1)
    """Its folder, such as artifacts/reward of another project."""
    weights_sha256: Sha256 = ""
    """The hash of its content; a flow looks it up when it starts, and the stage refuses another content."""
    batch_size: int = Field(64, ge=1)
    """Answers read at once."""


Member = Annotated[EndpointConfig | LocalConfig | RewardModelConfig, Field(discriminator="kind")]


class PanelConfig(NamedJudge):
    """Several judges as one: the mean of their probabilities, with each member's verdict kept beside it."""

    kind: Literal["panel"]
    """What it is."""
    members: tuple[Member, ...] = Field(min_length=2)
    """The judges on it."""

    @model_validator(mode="after")
    def _members_differ(self) -> "PanelConfig":
        if len({member.name for member in self.members}) < len(self.members):
            raise ValueError("two members have the same name; rename one")
        return self


AiJudgeConfig = Annotated[EndpointConfig | LocalConfig | RewardModelConfig | PanelConfig, Field(discriminator="kind")]
"""Any AI judge; its `kind` tells which."""
