"""Numbers of things, as messages say them."""


def counted(number: int, thing: str, things: str = "") -> str:
    """`1 row` or `2 rows`; `things` is the plural where it is not the singular with an s."""
    return f"{number} {thing if number == 1 else things or thing + 's'}"
