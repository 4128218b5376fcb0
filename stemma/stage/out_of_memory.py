"""Too little memory, in the machine or its GPU, told as such: libraries report it in words of their own."""

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from stemma.errors import OutOfMemoryError, StemmaError

WORDS = (
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "CUDA out of memory",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "std::bad_alloc",
    ": Cannot allocate memory",
)
"""How errors of no class of their own say so: torch has one for a GPU's memory, and none for the machine's."""


@contextmanager
def telling_out_of_memory() -> Iterator[None]:
    """Raise OutOfMemoryError in place of any error that is for want of memory."""
    try:
        yield
    except StemmaError:
        raise
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        first = str(error).strip().partition("\n")[0] or type(error).__name__
        raise OutOfMemoryError(f"the memory does not suffice: {first}") from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the error, or one that it was raised from, is for want of memory; torch is not imported to tell."""
    return any(map(_says_so, _chain(error)))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _says_so(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in WORDS)
