"""The values that are sent beside the text of a query, where `$name` stands for them."""


class Parameters:
    """The parameters of one query: `values` by name."""

    def __init__(self) -> None:
        self.values: dict[str, str | bytes] = {}

    def add(self, name: str, value: str | bytes) -> str:
        """What stands for the value in the text."""
        self.values[name] = value
        return f"${name}"
