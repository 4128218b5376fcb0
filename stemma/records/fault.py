"""Why a row of the user's data cannot be taken."""


class RowFault(Exception):  # noqa: N818 -- not an error of the program: it becomes a reject, and reading goes on
    """One row's fault.

    The reason is a short sentence that is the same for all rows with the fault; what differs stands after a colon.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
