"""Parameters of a query, for which its text has `$name`."""


class Parameters:
    """The parameters of one query: `values` by name."""

    def __init__(self) -> None:
        self.values: dict[str, str | bytes] = {}

    def add(self, name: str, value: str | bytes) -> str:
        """Add a value, and return its placeholder in the text."""
        self.values[name] = value
        return f"${name}"
