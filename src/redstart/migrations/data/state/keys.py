"""The names of everything a data migration keeps on the server. Nothing else is added to a user's database."""

from dataclasses import dataclass

from redstart.migrations.lease import LeaseKeys

APPLIED_MIGRATIONS = "redis_om:applied_migrations"
"""The set in which redis-om records applied data migrations; kept in step."""

DATA_RUNS = "redstart:data_runs"
"""Hash: by migration id, the number of the last run since the last rollback.

It lies outside `redstart:<id>:`, so that the loss of all these keys together is noticed.
"""


@dataclass(frozen=True, slots=True)
class StateKeys:
    """Key names of one migration, all under `redstart:<migration id>:`."""

    migration_id: str

    def _key(self, name: str) -> str:
        return f"redstart:{self.migration_id}:{name}"

    def restore_hint(self) -> str:
        """Return the hint where a key that an undo needs is damaged."""
        return (
            f"Restore it from a backup. To give up undoing: om migrate-data drop-undo-log {self.migration_id}"
        )

    @property
    def lease(self) -> LeaseKeys:
        """The fence and the lease."""
        return LeaseKeys(self._key("fence"), self._key("lease"))

    @property
    def checkpoint(self) -> str:
        """String: how far the unfinished run or rollback is (JSON)."""
        return self._key("checkpoint")

    @property
    def record(self) -> str:
        """Hash: the plan the journal stands on, what is applied per key prefix, counters."""
        return self._key("record")

    @property
    def census(self) -> str:
        """Set of digests: values that were numbers before the first write."""
        return self._key("census")

    @property
    def journal(self) -> str:
        """Stream: the undo log."""
        return self._key("journal")

    @property
    def failures(self) -> str:
        """Hash: what could not be converted, by key and path."""
        return self._key("failures")

    @property
    def replaced(self) -> str:
        """Hash: of what could not be converted, what does not stand in its place any more; kept until an undo."""
        return self._key("replaced")

    @property
    def unrestored(self) -> str:
        """Hash: originals that a rollback could not restore, by document; kept until `drop-undo-log`."""
        return self._key("unrestored")
