"""The record of the steps of a migration file.

It has the started and the completed steps, and whether they are rolled back.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from redstart.commands.keyspace import hgetall
from redstart.effects import Argument, Op, call
from redstart.migrations.state_keys import StateKeys, of_other_types, require_none

ROLLBACK = "rollback"
BEGUN, DONE = "begun", "done"


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
    fields = yield from call(hgetall(keys.steps))
    return StepRecord(
        {name.decode(errors="replace"): value.decode(errors="replace") for name, value in fields.items()}
    )


def mark(keys: StateKeys, field: str, value: str) -> list[Argument]:
    """Return the command that sets a field."""
    return ["HSET", keys.steps, field, value]


def unmark(keys: StateKeys, field: str) -> list[Argument]:
    """Return the command that removes a field."""
    return ["HDEL", keys.steps, field]
