"""The values that are sent beside the text of a query, where `$name` stands for them."""

from typing import Final

PARAMETERS_DIALECT: Final = 2
"""The first version of the query language that has parameters."""


class Parameters:
    """The parameters of one query: `values` by name."""

    def __init__(self) -> None:
        self.values: dict[str, str | bytes] = {}

    @property
    def dialect(self) -> int | None:
        """Which version of the language they need; None without any."""
        return PARAMETERS_DIALECT if self.values else None

    def add(self, name: str, value: str | bytes) -> str:
        """What stands for the value in the text."""
        self.values[name] = value
        return f"${name}"
