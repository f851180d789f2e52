"""The kinds of value whose stored form changed between redis-om 0.x and 1.x, and the two storage types."""

from enum import StrEnum


class TemporalKind(StrEnum):
    """What a field declares. Both are stored as Unix seconds; a date as midnight UTC of its day."""

    DATETIME = "datetime"
    DATE = "date"


class Storage(StrEnum):
    """How a document is kept: a Redis hash, or one RedisJSON value."""

    HASH = "hash"
    JSON = "json"

    @property
    def key_type(self) -> bytes:
        """Return the type of such keys on the server (TYPE, SCAN)."""
        return _KEY_TYPES[self]


_KEY_TYPES = {Storage.HASH: b"hash", Storage.JSON: b"ReJSON-RL"}


def has_text(value: object) -> bool:
    """Return whether the text of a value is more than its address in memory."""
    kind = type(value)
    return kind.__str__ is not object.__str__ or kind.__repr__ is not object.__repr__
