"""A conversation between a person and a policy."""

from dataclasses import dataclass, field
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from stemma.config import MachineConfig
from stemma.errors import DataError
from stemma.models.chat import encode_prompts
from stemma.models.policy import context_of, load_policy
from stemma.models.tokenizer import load_tokenizer
from stemma.records.types import Conversation, Message
from stemma.sampling.generate import Sampled, generate


@dataclass(frozen=True)
class Decoding:
    """How answers are drawn."""

    temperature: float
    """0 takes the likeliest token."""
    max_new_tokens: int
    seed: int


@dataclass
class Dialogue:
    """One conversation with one policy, in the chat template that came with it."""

    policy: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    turns: Conversation = field(default=())

    def answer(self, question: str, decoding: Decoding) -> Sampled:
        """The policy's answer to a question, after all that was said before; the same seed gives the same answers.

        Where the conversation has become too long for the model's context, its oldest turns are dropped.
        Raises DataError where the question by itself is too long.
        """
        turns = (*self.turns, Message(role="user", content=question))
        while self._room(turns) < 1:
            if len(turns) == 1:
                raise DataError(
                    f"the question has {self._length(turns)} tokens, and the model's context of "
                    f"{context_of(self.policy)} leaves no room for an answer; ask something shorter"
                )
            turns = turns[2:]
        (answer,) = generate(
            self.policy,
            self.tokenizer,
            [turns],
            max_new_tokens=min(decoding.max_new_tokens, self._room(turns)),
            temperature=decoding.temperature,
            seed=decoding.seed + len(self.turns) // 2,
            batch_size=1,
        )
        self.turns = (*turns, Message(role="assistant", content=answer.text)) if answer.text else turns[:-1]
        return answer

    def start_again(self) -> None:
        """Forget what was said."""
        self.turns = ()

    def _room(self, turns: Conversation) -> int:
        """Tokens that the context leaves for an answer."""
        return context_of(self.policy) - self._length(turns)

    def _length(self, turns: Conversation) -> int:
        return len(encode_prompts(self.tokenizer, [turns])[0])


def open_dialogue(folder: Path, machine: MachineConfig) -> Dialogue:
    """Load the policy of a folder, whole or as adapters over a base.

    Raises ArtifactError where the folder holds no policy, no tokenizer, or adapters whose base is missing.
    """
    return Dialogue(load_policy(folder, machine), load_tokenizer(folder))
