"""Names of the state keys of data migrations and migration files, and damage to state keys.

The names of the keys of indexes are in indexes/state.py.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from redstart.commands.keyspace import key_type
from redstart.effects import Op, batch, gather, pause
from redstart.errors import StateDamagedError
from redstart.next_steps import Command, Hint

_CONFIRM_AFTER_SECONDS = 0.05

BUILT_IN_MIGRATION = "001_datetime_fields_to_timestamps"
"""The id of the only data migration that is not in a file: redis-om's own."""

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


@dataclass(frozen=True, slots=True)
class LeaseKeys:
    """Keys of the fence and the lease of one migration."""

    fence: str
    lease: str


APPLIED_MIGRATIONS = "redis_om:applied_migrations"
"""The set in which redis-om records applied data migrations; kept up to date."""

APPLIED_SCHEMA_MIGRATIONS = "redis_om:schema_applied_migrations"
"""The set in which redis-om records applied schema migrations."""

DATA_RUNS = "redstart:data_runs"
"""Hash: number of the last run since the last rollback, by migration id.

It is not under `redstart:<id>:`, so that the loss of all those keys together is noticed.
"""


LEDGER = "redstart:migrations:files"
"""Hash: for each applied migration file, by id, when, by whom and from which source it was applied (JSON)."""

LEDGER_COUNT = "redstart:recorded_files"
"""String: the number of entries of the ledger.

It is not under `redstart:migrations:`, so that the loss of all those keys together is noticed.
"""

ORIGINALS = "originals"
"""Field of the hash of steps: number of entries of the stream of originals."""

STARTED_FILES = "redstart:migrations:started"
"""Hash: the checksum of each migration file whose run or rollback has started, by id, until it is complete."""

FILES_LEASE = LeaseKeys("redstart:migrations:fence", "redstart:migrations:lease")
"""The lease for changes of the ledger, and for everything that applies a migration file."""


@dataclass(frozen=True, slots=True)
class StateKeys:
    """Key names of one migration, all under `redstart:<migration id>:`."""

    migration_id: str

    def _key(self, name: str) -> str:
        return f"redstart:{self.migration_id}:{name}"

    def is_of_file(self) -> bool:
        """Return whether the migration is a file, with commands of its own."""
        return self.migration_id != BUILT_IN_MIGRATION

    def run_command(self) -> Command:
        """Return the command that runs the migration, or resumes its run."""
        return Command("upgrade") if self.is_of_file() else Command("migrate-data run")

    def rollback_command(self) -> Command:
        """Return the command that rolls back the migration, or resumes its rollback."""
        if self.is_of_file():
            return Command("migrate rollback", self.migration_id)
        return Command("migrate-data rollback", self.migration_id)

    def start_over_hint(self) -> Hint:
        """Return the hint for a checkpoint that cannot be used."""
        return Hint(
            "Start again from the beginning (converted values are not lost) with: ", self.clear_command()
        )

    def clear_command(self) -> Command:
        """Return the command that deletes the saved progress."""
        if self.is_of_file():
            return Command("migrate-data clear-progress", self.migration_id)
        return Command("migrate-data clear-progress")

    def restore_hint(self) -> Hint:
        """Return the hint for damage of a key that a rollback needs."""
        return Hint(
            "Restore it from a backup. To drop the undo log (a rollback is then impossible): ",
            Command("migrate-data drop-undo-log", self.migration_id),
        )

    @property
    def lease(self) -> LeaseKeys:
        """The keys of fencing token and lease."""
        return LeaseKeys(self._key("fence"), self._key("lease"))

    @property
    def checkpoint(self) -> str:
        """String: the checkpoint of an unfinished run or rollback (JSON)."""
        return self._key("checkpoint")

    @property
    def record(self) -> str:
        """Hash: the plan of the undo log, applied models by key prefix, counters."""
        return self._key("record")

    @property
    def census(self) -> str:
        """Set: digests of pre-existing numbers."""
        return self._key("census")

    @property
    def journal(self) -> str:
        """Stream: the undo log."""
        return self._key("journal")

    @property
    def moved(self) -> str:
        """The name of a JSON document while a script changes its lists; no other client ever sees it."""
        return self._key("moved")

    def processed(self, token: str) -> str:
        """Return the beginning of the keys of a set of processed documents; see `ProcessedDocuments`."""
        return self._key(f"processed:{token}:")

    @property
    def failures(self) -> str:
        """Hash: failed values, by key and path."""
        return self._key("failures")

    @property
    def replaced(self) -> str:
        """Hash: failed values that were replaced or quarantined; kept until a rollback."""
        return self._key("replaced")

    @property
    def steps(self) -> str:
        """Hash: started and completed moves of keys, removed models and functions of a migration file."""
        return self._key("steps")

    @property
    def removed(self) -> str:
        """Stream: the documents of removed models, for a rollback."""
        return self._key("removed")

    @property
    def originals(self) -> str:
        """Stream: the original documents whose storage was changed, for a rollback."""
        return self._key("originals")

    @property
    def unrestored(self) -> str:
        """Hash: originals that a rollback could not restore, by document; kept until `drop-undo-log`."""
        return self._key("unrestored")
