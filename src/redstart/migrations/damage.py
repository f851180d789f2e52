"""Damage to the keys in which Redstart stores its state, and the errors for it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from redstart.commands.keyspace import key_type
from redstart.effects import Op, batch, gather, pause
from redstart.errors import StateDamagedError
from redstart.next_steps import Hint

_CONFIRM_AFTER_SECONDS = 0.05

FOREIGN = "foreign:"
"""Prefix of the part if another program has written a value of another type to its key."""


@dataclass(frozen=True, slots=True)
class Damage:
    """One key that is missing, damaged, of another version, or does not belong to the other keys.

    Attributes:
        part: the key, by its name in `StateKeys`.
        message, hint: see RedstartError.
        error: the class of the error.
    """

    part: str
    message: str
    hint: str | Hint | None
    error: type[StateDamagedError] = StateDamagedError


def foreign_type(part: str, key: str, found: str, expected: str) -> Damage:
    """Return the damage of a key with a value of another type."""
    return Damage(
        FOREIGN + part,
        f"{key} is a {found}, not a {expected}: another program has written it.",
        f"Restore the key from a backup, or rename it with: redis-cli RENAME {key} {key}:moved",
    )


def of_other_types(keys: Sequence[tuple[str, str, str]]) -> Op[list[Damage]]:
    """Return the damage of those keys that another program has written, given as part, key and type. One read."""
    if not keys:
        return []
    replies: list[Any] = yield from batch(gather([key_type(key.encode()) for _, key, _ in keys]))
    kinds = [reply.decode() if isinstance(reply, bytes) else "none" for reply in replies]
    return [
        foreign_type(part, key, kind, expected)
        for (part, key, expected), kind in zip(keys, kinds, strict=True)
        if kind not in (expected, "none")
    ]


def confirmed(look: Callable[[], Op[list[Damage]]]) -> Op[list[Damage]]:
    """Return the damage that two checks find: a run may write between two reads of one check.

    Effects: those of one check, of two if the first finds something.
    """
    found = yield from look()
    if found:
        yield from pause(_CONFIRM_AFTER_SECONDS)
        again = yield from look()
        found = [one for one in found if one in again]
    return found


def require_none(found: Iterable[Damage]) -> None:
    """Raise the error of the most severe damage; its message lists the others.

    A damaged checkpoint comes last: `clear-progress` refuses while another key is damaged.
    """
    damages = sorted(found, key=lambda one: one.part == "checkpoint")
    if damages:
        first, *others = damages
        message = "\n".join([first.message, *(other.message for other in others)])
        raise first.error(message, first.hint)
