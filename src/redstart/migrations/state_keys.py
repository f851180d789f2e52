"""Names of the keys of data migrations and migration files on the server. Those of indexes are in indexes/state.py."""

from dataclasses import dataclass

from redstart.migrations.lease_state import LeaseKeys
from redstart.next_steps import Command, Hint

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
        """Hash: moves of keys, removed models and functions of a migration file that were begun or done."""
        return self._key("steps")

    @property
    def removed(self) -> str:
        """Stream: the documents of removed models, for a rollback."""
        return self._key("removed")

    @property
    def originals(self) -> str:
        """Stream: the documents whose storage was changed, as they were, for a rollback."""
        return self._key("originals")

    @property
    def unrestored(self) -> str:
        """Hash: originals that a rollback could not restore, by document; kept until `drop-undo-log`."""
        return self._key("unrestored")
