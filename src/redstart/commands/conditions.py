"""Conditions of a write: NX and XX."""

from enum import Enum


class Condition(Enum):
    """What has to be true of a key; the value is the word that commands and scripts take."""

    NONE = ""
    NX = "NX"
    """There is no such key."""
    XX = "XX"
    """There is one."""

    @property
    def is_repeatable(self) -> bool:
        """Return whether a write may be sent again when its answer was lost: NX would be refused by its own success."""
        return self is not Condition.NX
