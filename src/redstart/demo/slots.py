"""What a place in a document asks for, and what must become of the value found there."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from redstart.demo.civil import DAY, MINUTE
from redstart.values.kinds import Storage, TemporalKind

Location: TypeAlias = tuple[str | int, ...]
"""Where a value is: member names, map keys, positions in lists. Of a hash: one name."""

Expected: TypeAlias = int | Literal["null", "unconvertible"]
"""The instant to find after a migration, in microseconds since 1970; or why the value stays as it is."""

Raw: TypeAlias = str | bytes | int | float | bool | dict[str, str] | None
"""A value as stored: text, bytes that are no text (hash), or any JSON value."""


class SampleValue(NamedTuple):
    """A value, what must become of it, and its dirty class (None: redis-om wrote it)."""

    raw: Raw
    expected: Expected
    dirty: str | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """What the model declares at a place."""

    storage: Storage
    kind: TemporalKind
    optional: bool = False

    def instant_of(self, moment: int, offset: int = 0) -> int:
        """What a wall clock `offset` minutes east of UTC stands for: itself, or midnight UTC of its own date.

        Args:
            moment: microseconds since 1970 that the clock shows.
            offset: minutes east of UTC of the clock.
        """
        if self.kind is TemporalKind.DATETIME:
            return moment
        return (moment + offset * MINUTE) // DAY * DAY
