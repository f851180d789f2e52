"""The keys of a model: what they begin and end with."""

from collections.abc import Iterable
from dataclasses import dataclass

from redstart.migrations.operations.state import ModelState
from redstart.values.types import Storage


@dataclass(frozen=True, slots=True)
class KeyPattern:
    """The keys of the documents of a model."""

    prefix: str
    suffix: str
    storage: Storage

    @classmethod
    def of(cls, model: ModelState) -> "KeyPattern":
        """Return the pattern of a model."""
        return cls(model.key_prefix, model.key_suffix, model.storage)

    @property
    def ends(self) -> tuple[bytes, bytes]:
        """The bytes before and after the primary key."""
        return _bytes(self.prefix), _bytes(self.suffix)

    def matches(self, key: bytes) -> bool:
        """Return whether a key is one of these."""
        before, after = self.ends
        return len(key) >= len(before) + len(after) and key.startswith(before) and key.endswith(after)

    def leaves_out(self, key: bytes, exclude_prefixes: Iterable[str]) -> bool:
        """Return whether one of some longer key prefixes excludes a key."""
        longer = (one for one in exclude_prefixes if one != self.prefix and one.startswith(self.prefix))
        return key.startswith(tuple(map(_bytes, longer)))

    def is_within(self, other: "KeyPattern") -> bool:
        """Return whether the other pattern matches all of these keys."""
        return self.prefix.startswith(other.prefix) and self.suffix.endswith(other.suffix)

    def overlaps(self, other: "KeyPattern") -> bool:
        """Return whether a document could belong to both."""
        prefixes = self.prefix.startswith(other.prefix) or other.prefix.startswith(self.prefix)
        suffixes = self.suffix.endswith(other.suffix) or other.suffix.endswith(self.suffix)
        return prefixes and suffixes and self.storage is other.storage

    def __str__(self) -> str:
        return f"{self.prefix}*{self.suffix}"


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
