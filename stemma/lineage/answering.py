"""What a remote's file system may raise, as one message."""

from collections.abc import Iterator
from contextlib import contextmanager

from stemma.errors import StemmaError, WorkspaceError


@contextmanager
def answering(what: str) -> Iterator[None]:
    """Turn what others than Stemma raise meanwhile into a WorkspaceError that says what the remote was asked for."""
    try:
        yield
    except StemmaError:
        raise
    except Exception as error:
        raise WorkspaceError(f"the DVC remote does not answer for {what} ({type(error).__name__}: {error})") from error
