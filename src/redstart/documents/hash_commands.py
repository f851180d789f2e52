"""Commands that write a hash: one atomic step sets the fields with a value and removes the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from redstart.commands.documents import Condition, hsetex_new
from redstart.commands.scripts import evalsha, evaluate, load
from redstart.effects import Argument, Call

PACKAGE: Final = "redstart.documents"


@dataclass(slots=True)
class HashWrite:
    """A write of some fields of one hash; see `lua/save_hash.lua`.

    Args:
        key: of the hash.
        written: values of the fields to set, by name.
        empty: names of the fields to remove.
        condition: when at all.
        lifetimes: names of written fields and the milliseconds after which they expire, unless they do already.
        begun: the same, for lifetimes that begin now.
    """

    key: str
    written: Mapping[bytes, bytes]
    empty: Sequence[bytes]
    condition: Condition = Condition.NONE
    lifetimes: Sequence[tuple[bytes, int]] = ()
    begun: Sequence[tuple[bytes, int]] = ()

    @property
    def takes_away(self) -> bool:
        """Return whether there are fields to remove."""
        return bool(self.empty)

    @property
    def size(self) -> int:
        """Return the number of bytes of the values."""
        return sum(map(len, self.written.values()))

    def short(self) -> Call[Any]:
        """Return the script, by its digest."""
        script = load(PACKAGE, "save_hash.lua")
        return evalsha(script.sha1, (self.key,), self._words(), repeatable=self.condition.is_repeatable)

    def whole(self) -> Call[Any]:
        """Return the script, from its source."""
        script = load(PACKAGE, "save_hash.lua")
        return evaluate(script.source, (self.key,), self._words(), repeatable=self.condition.is_repeatable)

    def if_new(self) -> Call[Any] | None:
        """Return HSETEX, if it can do all that the script would do to a new hash."""
        if self.condition is not Condition.NONE or self.lifetimes or self.begun or not self.written:
            return None
        return hsetex_new(self.key, self.written)

    def _words(self) -> list[Argument]:
        words: list[Argument] = [
            self.condition.value,
            len(self.written),
            len(self.lifetimes),
            len(self.begun),
        ]
        for pairs in (self.written.items(), self.lifetimes, self.begun):
            words += chain.from_iterable(pairs)
        words += self.empty
        return words
