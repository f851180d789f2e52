"""The record of the steps of a migration file.

It has the started and the completed steps, and whether they are rolled back.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from redstart.commands.keyspace import hgetall
from redstart.display import printable
from redstart.effects import Argument, Op, call
from redstart.errors import StateDamagedError
from redstart.migrations.state_keys import ORIGINALS, StateKeys, of_other_types, require_none

ROLLBACK = "rollback"
BEGUN, DONE = "begun", "done"
GIVEN_UP = "given_up"
"""The field that an operator sets where the record was lost."""
REMOVED = "removed:"
"""Beginning of the fields that count the removed documents of models."""
RESTORED_DOCUMENTS = "restored"
"""The field that counts those of them that a rollback has restored."""
DROPPED = "dropped"
"""The field that counts the removed documents that a rollback cannot restore, because the undo log was dropped."""
_STATES = (ROLLBACK, GIVEN_UP, "move:", "storage:", "function:")
"""Beginnings of the fields that say whether a step was begun or is done. The others are numbers."""


@dataclass(frozen=True, slots=True)
class StepRecord:
    """The record as read.

    Attributes:
        fields: its fields.
    """

    fields: Mapping[str, str]

    @property
    def is_rolling_back(self) -> bool:
        """Whether a rollback was started and is not complete."""
        return ROLLBACK in self.fields

    def count(self, field: str) -> int:
        """Return a counter."""
        return int(self.fields.get(field, 0))

    @property
    def removed(self) -> int:
        """Number of documents that are in the stream of removed ones."""
        removed = sum(self.count(name) for name in self.fields if name.startswith(REMOVED))
        return removed - self.count(RESTORED_DOCUMENTS)


def read_steps(keys: StateKeys) -> Op[StepRecord]:
    """Return the record. Two reads.

    Raises:
        StateDamagedError: another program has written one of the keys.
    """
    kinds = [
        ("steps", keys.steps, "hash"),
        ("removed", keys.removed, "stream"),
        ("originals", keys.originals, "stream"),
    ]
    require_none((yield from of_other_types(kinds)))
    return steps_from(keys, (yield from call(hgetall(keys.steps))))


def steps_from(keys: StateKeys, fields: Mapping[bytes, bytes]) -> StepRecord:
    """Return the record of these fields. Raises StateDamagedError."""
    found = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in fields.items()}
    for name, value in found.items():
        if value not in (BEGUN, DONE) if name.startswith(_STATES) else not value.isdecimal():
            raise StateDamagedError(
                f"{keys.steps} cannot be read: {printable(name)} is {printable(value)}.", steps_hint(keys)
            )
    return StepRecord(found)


def steps_hint(keys: StateKeys) -> str:
    """Return the next step if the record is damaged."""
    key = keys.steps
    return (
        f"Restore {key} from a backup. To give up which functions of the file were called: redis-cli DEL {key}, then: "
        f"redis-cli HSET {key} {GIVEN_UP} {DONE}"
    )


def mark(keys: StateKeys, field: str, value: str) -> list[Argument]:
    """Return the command that sets a field."""
    return ["HSET", keys.steps, field, value]


def unmark(keys: StateKeys, field: str) -> list[Argument]:
    """Return the command that removes a field."""
    return ["HDEL", keys.steps, field]


def forget_documents(keys: StateKeys, fields: Mapping[bytes, bytes]) -> list[list[Argument]]:
    """Return the commands that record that the undo log has no documents any more; none if it had none.

    Args:
        fields: those of the record, which may be damaged.
    """
    names = (ORIGINALS.encode(), RESTORED_DOCUMENTS.encode())
    counts = [name for name in fields if name in names or name.startswith(REMOVED.encode())]
    if not counts:
        return []
    try:
        record = steps_from(keys, fields)
        dropped = record.removed + record.count(DROPPED)
    except StateDamagedError:
        dropped = 0
    kept: list[list[Argument]] = [["HSET", keys.steps, DROPPED, dropped]] if dropped else []
    return [["HDEL", keys.steps, *counts], *kept]
