"""How two safetensors files differ: tensor by tensor, without a framework, and without reading more than needed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

LENGTH_BYTES = 8
TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|u1",
}  # fmt: skip
SHOWN = 5


@dataclass(frozen=True)
class _Tensor:
    kind: str
    shape: tuple[int, ...]
    begin: int
    end: int


def tensor_differences(recorded: Path, rebuilt: Path) -> list[str]:
    """A line for each tensor that differs, the greatest difference first; then what only one of the files has."""
    old, new = _header(recorded), _header(rebuilt)
    lines = [f"tensor {name} is {'gone' if name in old else 'new'}" for name in sorted(old.keys() ^ new.keys())]
    differing: list[tuple[float, str]] = []
    for name in sorted(old.keys() & new.keys()):
        one, other = old[name], new[name]
        if (one.kind, one.shape) != (other.kind, other.shape):
            lines.append(f"tensor {name} was {one.kind} {one.shape}, is {other.kind} {other.shape}")
        else:
            differing += [(most, f"tensor {name}: {count} of {size} numbers differ, by {most:.3g} at most")
                          for count, size, most in _compared(recorded, one, rebuilt, other)]  # fmt: skip
    told = [line for _, line in sorted(differing, key=lambda pair: -pair[0])]
    more = [f"and {len(told) - SHOWN} tensors more"] if len(told) > SHOWN else []
    return lines + told[:SHOWN] + more or ["the tensors are the same, the header differs"]


def _header(file: Path) -> dict[str, _Tensor]:
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(LENGTH_BYTES), "little")
        told = json.loads(stream.read(length))
    begin = LENGTH_BYTES + length
    return {
        name: _Tensor(
            tensor["dtype"],
            tuple(tensor["shape"]),
            begin + tensor["data_offsets"][0],
            begin + tensor["data_offsets"][1],
        )
        for name, tensor in told.items()
        if name != "__metadata__"
    }


def _compared(recorded: Path, one: _Tensor, rebuilt: Path, other: _Tensor) -> Iterator[tuple[int, int, float]]:
    """How many numbers differ, of how many, and the greatest difference; nothing where none does."""
    import numpy as np

    old, new = _numbers(recorded, one), _numbers(rebuilt, other)
    differ = old.view(f"V{old.itemsize}") != new.view(f"V{new.itemsize}")
    count = int(np.count_nonzero(differ))
    if count:
        gap = np.abs(_wide(one.kind, old[differ]) - _wide(one.kind, new[differ]))
        yield count, len(old), float(np.max(gap))


def _numbers(file: Path, tensor: _Tensor) -> "np.ndarray[Any, Any]":
    import numpy as np

    kind = np.dtype(TYPES.get(tensor.kind, "|u1"))
    count = (tensor.end - tensor.begin) // kind.itemsize
    return np.fromfile(file, dtype=kind, count=count, offset=tensor.begin)


def _wide(kind: str, numbers: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Numbers as 64-bit floats; bfloat16, which numpy does not know, is the upper half of a float."""
    import numpy as np

    if kind == "BF16":
        return (numbers.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return numbers.astype(np.float64)
