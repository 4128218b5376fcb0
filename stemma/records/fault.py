"""Why a row of the user's data cannot be taken."""

LONGEST_FIELD, LONGEST_REASON = 200, 1000
"""Characters; the names in a broken row may be of any length."""


class RowFault(Exception):  # noqa: N818 -- not an error of the program: it becomes a reject, and reading goes on
    """One row's fault.

    The reason is a short sentence that is the same for all rows with the fault; what differs stands after a colon.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = _cut(field, LONGEST_FIELD)
        self.reason = _cut(reason, LONGEST_REASON)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
