"""Slots of temporal values in documents, and the expected results of their values."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from redstart.demo.civil import DAY, MINUTE
from redstart.values.types import Storage, TemporalKind

Location: TypeAlias = tuple[str | int, ...]
"""The location of a value: member names, map keys, positions in lists. In a hash: one name."""

Expected: TypeAlias = int | Literal["null", "unconvertible"]
"""The instant expected after a migration, in microseconds since 1970; or the reason why the value is unchanged."""

Raw: TypeAlias = str | bytes | int | float | bool | dict[str, str] | None
"""A stored value: text, bytes that are not UTF-8 (hash), or any JSON value."""


class SampleValue(NamedTuple):
    """A value, its expected result, and its malformed class (None: redis-om wrote it)."""

    raw: Raw
    expected: Expected
    dirty: str | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """The declaration of a temporal value in a model."""

    storage: Storage
    kind: TemporalKind
    optional: bool = False

    def instant_of(self, moment: int, offset: int = 0) -> int:
        """Return the instant of a value: the moment itself, or midnight UTC of its date in a date field.

        Args:
            moment: microseconds since 1970.
            offset: the offset of the value, in minutes east of UTC.
        """
        if self.kind is TemporalKind.DATETIME:
            return moment
        return (moment + offset * MINUTE) // DAY * DAY
