"""A policy as MLflow loads it: messages in, an answer out, from bytes of the project that are checked first."""

from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from mlflow.pyfunc.model import ChatModel
from mlflow.types.llm import ChatChoice, ChatCompletionResponse, ChatMessage, ChatParams, TokenUsageStats
from transformers import AutoModelForCausalLM, AutoTokenizer

from stemma.errors import ArtifactError
from stemma.lineage.index import open_index
from stemma.lineage.names import find_model
from stemma.lineage.registry import Version
from stemma.lineage.store import Store
from stemma.serving.copies import lay_out
from stemma.serving.model_files import ADAPTERS
from stemma.stage.manifest import MANIFEST, file_sha256, verify_manifest

MAX_TOKENS = 256
"""An answer's length where a request does not say."""


class ServedChatModel(ChatModel):
    """Answers with the artifact that the MLmodel file names by its DVC id."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def load_context(self, context: Any) -> None:
        """Check the artifact's bytes and load them. Raises ArtifactError where they are not what the MLmodel says."""
        config = context.model_config
        folder = checked_copy(self._root, config["artifact"], config["manifest_sha256"])
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self._name = f"{config['stage']} {config['artifact']}"
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        kind: Any = AutoModelForCausalLM
        self._model = kind.from_pretrained(folder, dtype="auto", use_safetensors=True, local_files_only=True).to(device)

    def predict(  # type: ignore[override]  # MLflow's own ChatModel narrows its parent in the same way
        self,
        context: Any,  # noqa: ARG002 -- MLflow gives it by its name
        messages: list[ChatMessage],
        params: ChatParams,
    ) -> ChatCompletionResponse:
        """Answer a conversation; temperature 0 takes the likeliest token each time, as greedy evaluation does."""
        turns = [{"role": message.role, "content": message.content} for message in messages]
        encoded = self._tokenizer.apply_chat_template(
            turns, add_generation_prompt=True, return_tensors="pt", return_dict=True
        ).to(self._model.device)
        sampling: dict[str, Any] = {"do_sample": bool(params.temperature)}
        if params.temperature:
            sampling["temperature"] = params.temperature
        prompt = encoded["input_ids"].shape[1]
        with torch.no_grad():
            output = self._model.generate(**encoded, max_new_tokens=params.max_tokens or MAX_TOKENS, **sampling)
        return self._response(prompt, output[0, prompt:].tolist())

    def _response(self, prompt: int, tokens: list[int]) -> ChatCompletionResponse:
        answer = self._tokenizer.decode(tokens, skip_special_tokens=True).strip()
        reason = "stop" if self._tokenizer.eos_token_id in tokens else "length"
        return ChatCompletionResponse(
            choices=[ChatChoice(message=ChatMessage(role="assistant", content=answer), finish_reason=reason)],
            usage=TokenUsageStats(prompt, len(tokens), prompt + len(tokens)),
            model=self._name,
        )


def checked_copy(root: Path, artifact: str, manifest_sha256: str) -> Path:
    """The folder under serving/ with a model's files, laid out from DVC where it is not there or not right.

    Raises ArtifactError if MLflow does not know the manifest, the bytes are nowhere to be had, or the manifest is
    another.
    """
    if not manifest_sha256:
        raise ArtifactError(
            f"MLflow does not know the manifest of {artifact}: it was recorded in a clone that did not have the bytes. "
            "Run `stemma reconcile` in a clone whose DVC cache or remote has them"
        )
    with closing(open_index(root)) as index, Store(root) as store:
        found = find_model(root, index, artifact)
        stage = found.derivation.stage
        folder = lay_out(root, index, store, Version(0, found.run.name, found.run.commit, stage, artifact))
    own = folder / ADAPTERS / stage if (folder / ADAPTERS / stage).is_dir() else folder
    verify_manifest(own)
    if file_sha256(own / MANIFEST) != manifest_sha256:
        raise ArtifactError(
            f"the manifest of {stage} {artifact} is not the one that MLflow names; `stemma verify {artifact}` says "
            "whether these bytes are right"
        )
    return folder
