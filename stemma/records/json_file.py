"""One JSON value in a file, such as a stage's report."""

import json
from pathlib import Path
from typing import Any

from stemma.errors import DataError


def write_json(path: Path, content: Any) -> None:
    """Write a value; equal values give equal bytes."""
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a value.

    Raises DataError where the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; run the stage that writes it again") from None
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error}); run the stage that writes it again") from None
