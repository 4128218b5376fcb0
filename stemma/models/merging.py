"""Low-rank adapters added into a file of weights while it is copied, tensor by tensor.

The result is a pure function of the bytes of both on every machine: products are added one rank at a time, so no
matrix multiplication of some library decides the order of a sum.
"""

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import torch
from safetensors.torch import load
from torch import Tensor

from stemma.errors import ArtifactError
from stemma.models.adapter_files import CONFIG, WEIGHTS

PREFIX = "base_model.model."
DTYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}
PLAIN: Mapping[str, Any] = {
    "peft_type": "LORA",
    "task_type": "CAUSAL_LM",
    "bias": "none",
    "use_dora": False,
    "use_rslora": False,
    "rank_pattern": {},
    "alpha_pattern": {},
}
"""The kind of adapter that can be merged here; it is the one that Stemma trains."""
NUMBERS_AT_ONCE = 1 << 18
"""Rows are updated in blocks of about so many numbers, which stay in the processor's cache."""


@dataclass(frozen=True)
class Adapter:
    """The adapters of one artifact."""

    name: str
    """What to call them in messages."""
    factors: Mapping[str, tuple[Tensor, Tensor]]
    """A (r, inputs) and B (outputs, r) in 32 bits, B times alpha / r, by the name of the weights that get B A added."""
    transposed: bool
    """Whether the weights are stored as (inputs, outputs)."""


def read_adapter(name: str, config: bytes, weights: bytes) -> Adapter:
    """Read an artifact's `adapter_config.json` and `adapter_model.safetensors`.

    Raises ArtifactError where these are no plain LoRA adapters of a causal language model.
    """
    settings = json.loads(config)
    other = [f"{key}: {settings[key]!r}" for key, value in PLAIN.items() if settings.get(key, value) != value]
    if other:
        raise ArtifactError(f"{name}: {CONFIG} has {', '.join(other)}; such adapters cannot be merged into their base")
    tensors = load(weights)
    scale = settings["lora_alpha"] / settings["r"]
    factors = {
        _weight(name, key): (tensors[key].float(), tensors[key.replace(".lora_A.", ".lora_B.")].float() * scale)
        for key in tensors
        if ".lora_B." not in key
    }
    return Adapter(name, factors, bool(settings.get("fan_in_fan_out")))


class Merger:
    """Adds adapters into the files of their base, the adapters nearest the base first."""

    def __init__(self, adapters: Sequence[Adapter]) -> None:
        self._adapters = adapters
        self._waiting = {(adapter.name, key) for adapter in adapters for key in adapter.factors}

    def merge(self, weights: IO[bytes]) -> Iterator[bytes]:
        """The bytes of a safetensors file with the adapters added in; each sum is rounded to the file's own format.

        Everything but the numbers of the adapted weights stays as it is.
        """
        prefix = weights.read(8)
        header = weights.read(*struct.unpack("<Q", prefix))
        yield prefix
        yield header
        entries = {key: entry for key, entry in json.loads(header).items() if key != "__metadata__"}
        for key, entry in sorted(entries.items(), key=lambda item: int(item[1]["data_offsets"][0])):
            start, end = entry["data_offsets"]
            yield self._merged(key, entry, weights.read(end - start))

    def check_complete(self) -> None:
        """Raise ArtifactError where an adapter belongs to weights that were in none of the files."""
        for name, key in sorted(self._waiting):
            raise ArtifactError(f"{name} has adapters for {key}, which its base does not have; they cannot be merged")

    def _merged(self, key: str, entry: Mapping[str, Any], content: bytes) -> bytes:
        for adapter in self._adapters:
            if key in adapter.factors:
                content = _added(content, key, entry, adapter)
                self._waiting.discard((adapter.name, key))
        return content


def _weight(name: str, key: str) -> str:
    """The name of the weights that an adapter's tensor belongs to."""
    module, mark, rest = key.removeprefix(PREFIX).rpartition(".lora_A.")
    if not mark or rest != "weight":
        raise ArtifactError(f"{name}: {WEIGHTS} holds {key}, which cannot be merged into a causal language model")
    return f"{module}.weight"


def _added(content: bytes, key: str, entry: Mapping[str, Any], adapter: Adapter) -> bytes:
    """The weights with B A added, summed in 32 bits."""
    down, up = adapter.factors[key]
    fits = (down.shape[1], up.shape[0]) if adapter.transposed else (up.shape[0], down.shape[1])
    if entry["dtype"] not in DTYPES or tuple(entry["shape"]) != fits:
        raise ArtifactError(
            f"{adapter.name} has adapters of shape {fits} for {key}, which is {entry['dtype']} {entry['shape']}"
        )
    dtype = DTYPES[entry["dtype"]]
    stored = torch.frombuffer(bytearray(content), dtype=dtype).reshape(entry["shape"])
    left, right = (down.T, up.T) if adapter.transposed else (up, down)
    rows = max(1, NUMBERS_AT_ONCE // right.shape[1])
    for start in range(0, len(stored), rows):
        block = slice(start, start + rows)
        stored[block] = (stored[block].float() + _product(left[block], right)).to(dtype)
    return stored.view(torch.uint8).numpy().tobytes()


def _product(left: Tensor, right: Tensor) -> Tensor:
    """Left (n, r) times right (r, m), added up from the first rank to the last on any machine."""
    total = torch.zeros(left.shape[0], right.shape[1])
    for rank in range(right.shape[0]):
        total += left[:, rank : rank + 1] * right[rank : rank + 1]
    return total
