"""Data and schema migration files, as redis-om has them: their base classes and their migrators."""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redstart.aio.connections import server_of_client
from redstart.aio.index_migrations import Migrator
from redstart.aio.redis_om_migrator_base import RedisOmMigration, RedisOmMigrator, printer
from redstart.aio.util import ASYNC_MODE
from redstart.commands.keyspace import get
from redstart.effects import call
from redstart.errors import SchemaMigrationError
from redstart.migrations.files.declarations import DATA, SCHEMA
from redstart.migrations.files.redis_om_execution import Watch, last_applied
from redstart.migrations.files.redis_om_templates import data_file, schema_file
from redstart.migrations.files.writer import new_id, write_file
from redstart.migrations.import_guard import is_skipped
from redstart.migrations.indexes.state import schema_key
from redstart.migrations.startup import MigrationAction

if TYPE_CHECKING:
    import redis.asyncio

logger = logging.getLogger(__name__)


class BaseMigration(RedisOmMigration):
    """Base class of data migrations in files of a project, as redis-om has them."""

    dependencies: Sequence[str] = ()
    """Ids of migrations that have to be applied first."""

    _kind = DATA

    async def can_run(self) -> bool:
        """Return whether the migration can be applied now."""
        return True


class DataMigrator(RedisOmMigrator):
    """The data migrations of a directory or module, and the record of applied ones.

    There is only one run at a time, also of `om`. What migrations change is not in an undo log. The methods of the
    migrations have to be coroutines; `om` calls those of both kinds.

    Args:
        redis_client: a client of the server with the record; by default one for REDIS_OM_URL.
        migrations_dir: a directory; by default `data-migrations` below REDIS_OM_MIGRATIONS_DIR, or below `migrations`.
        migration_module: a module instead of a directory: its list `MIGRATIONS`, or every migration in its namespace.
    """

    APPLIED_MIGRATIONS_KEY = DATA.record

    _kind = DATA

    def __init__(
        self,
        redis_client: "redis.asyncio.Redis | None" = None,
        migrations_dir: str | None = None,
        migration_module: str | None = None,
    ) -> None:
        super().__init__(redis_client, migrations_dir)
        self.migration_module = migration_module

    async def get_applied_migrations(self) -> set[str]:
        """Return the ids that Redstart or redis-om has recorded as applied.

        Effects: one read.
        """
        return await self._applied()

    async def mark_migration_applied(self, migration_id: str) -> None:
        """Record an id as applied.

        Effects: one write. Safe to repeat.
        """
        await self._mark(migration_id, applied=True)

    async def mark_migration_unapplied(self, migration_id: str) -> None:
        """Remove an id from the record of applied migrations.

        Effects: one write. Safe to repeat.
        """
        await self._mark(migration_id, applied=False)

    async def run_migrations(
        self, dry_run: bool = False, limit: int | None = None, verbose: bool = False
    ) -> int:
        """Apply pending migrations, each after its dependencies, and record them.

        A migration stays pending if its `can_run` is false, or if it depends on one that is not applied.

        Args:
            dry_run: count them, and write nothing.
            limit: how many at most; None or 0: all.
            verbose: print what is done.

        Returns:
            The number of applied migrations.

        Raises:
            DataMigrationError: a file cannot be used; or a migration failed. It stays pending, and what it has changed
                stays.
            LeaseHeldError: another run is in progress.
            LeaseLostError: the lease was lost; the last migration was executed, and is not recorded.
            ConfigurationError: the directory cannot be listed, or the module cannot be imported.
        """
        result = await self._run("run_migrations", dry_run=dry_run, limit=limit, verbose=verbose)
        if result.error is not None:
            raise result.error
        return len(result.done)

    async def run_migrations_with_monitoring(
        self,
        dry_run: bool = False,
        limit: int | None = None,
        verbose: bool = False,
        progress_callback: Callable[[int, int, str], None] | None = None,
    ) -> dict[str, Any]:
        """Apply pending migrations, and return how long they took. A failed one ends the run; it is not raised.

        Args:
            dry_run: as for `run_migrations`.
            limit: as for `run_migrations`.
            verbose: as for `run_migrations`.
            progress_callback: called after each migration with the number of applied ones, that of all, and the id.

        Returns:
            `applied_count`, `total_migrations`, `performance_stats`, `errors`, and `success_rate` or `dry_run`.

        Raises:
            MigrationError, ServerError: as for `run_migrations`, but not for a migration that failed.
        """
        total = len(await self.get_pending_migrations())
        total = min(total, limit) if limit else total
        times, say = _Times(), printer(verbose)

        def report(migration_id: str) -> None:
            times.lap()
            say(f"Applied {migration_id}")
            if progress_callback is not None:
                progress_callback(len(times.laps), total, migration_id)

        watch = Watch(started=lambda _: times.start(), done=report)
        result = await self._run(
            "run_migrations_with_monitoring", dry_run=dry_run, limit=limit, verbose=verbose, watch=watch
        )
        report_ = {
            "applied_count": len(result.done),
            "total_migrations": total,
            "performance_stats": times.statistics(),
            "errors": [],
        }
        if dry_run or not total:
            return report_ | ({"dry_run": True} if total else {})
        if result.error is not None:
            now = datetime.now().isoformat()
            report_["errors"] = [
                {"migration_id": result.failed, "error": str(result.error), "timestamp": now}
            ]
        return report_ | {"success_rate": len(result.done) / total * 100}

    async def rollback_migration(
        self, migration_id: str, dry_run: bool = False, verbose: bool = False
    ) -> bool:
        """Call `down` of an applied migration, and remove it from the record.

        Args:
            dry_run: write nothing.
            verbose: print what is done.

        Returns:
            Whether it was rolled back; False if it is not applied, or has no `down`.

        Raises:
            DataMigrationError: there is no such migration, or it failed; then it remains recorded as applied.
            LeaseHeldError, LeaseLostError, ConfigurationError: see `run_migrations`.
        """
        return await self._roll_back("rollback_migration", migration_id, dry_run=dry_run, verbose=verbose)

    async def create_migration_file(self, name: str, migrations_dir: str | None = None) -> str:
        """Write a new migration file, to be completed by hand, and return its path.

        Args:
            name: what it changes, in a few words.
            migrations_dir: by default the directory of this migrator.

        Raises:
            ConfigurationError: the name is invalid, or the file cannot be written.
        """
        migration_id = new_id(name, datetime.now(UTC))
        source = data_file(migration_id, is_async=ASYNC_MODE)
        return str(write_file(Path(migrations_dir or self.migrations_dir), migration_id, source))


class BaseSchemaMigration(RedisOmMigration):
    """Base class of schema migrations in files of a project, as redis-om has them."""

    _kind = SCHEMA


class SchemaMigrator(RedisOmMigrator):
    """The schema migrations of a directory, and the record of applied ones. Runs are those of `DataMigrator`.

    Args:
        redis_client: a client of the server with the record; by default one for REDIS_OM_URL.
        migrations_dir: by default `schema-migrations` below REDIS_OM_MIGRATIONS_DIR, or below `migrations`.
    """

    APPLIED_MIGRATIONS_KEY = SCHEMA.record

    _kind = SCHEMA

    def __init__(
        self, redis_client: "redis.asyncio.Redis | None" = None, migrations_dir: str | None = None
    ) -> None:
        super().__init__(redis_client, migrations_dir)

    async def get_applied(self) -> set[str]:
        """Return the ids that Redstart or redis-om has recorded as applied.

        Effects: one read.
        """
        return await self._applied()

    async def mark_applied(self, migration_id: str) -> None:
        """Record an id as applied.

        Effects: one write. Safe to repeat.
        """
        await self._mark(migration_id, applied=True)

    async def mark_unapplied(self, migration_id: str) -> None:
        """Remove an id from the record of applied migrations.

        Effects: one write. Safe to repeat.
        """
        await self._mark(migration_id, applied=False)

    async def run(self, dry_run: bool = False, limit: int | None = None, verbose: bool = False) -> int:
        """Apply pending migrations, in the order of their ids, and record them.

        Args:
            dry_run: count them, and write nothing.
            limit: how many at most; None or 0: all.
            verbose: print what is done.

        Returns:
            The number of applied migrations.

        Raises:
            SchemaMigrationError: a file cannot be used; or a migration failed. It stays pending, and what it has
                changed stays.
            LeaseHeldError: another run is in progress.
            LeaseLostError: the lease was lost; the last migration was executed, and is not recorded.
            ConfigurationError: the directory cannot be listed.
        """
        result = await self._run("run", dry_run=dry_run, limit=limit, verbose=verbose)
        if result.error is not None:
            raise result.error
        return len(result.done)

    async def rollback(self, migration_id: str, dry_run: bool = False, verbose: bool = False) -> bool:
        """Call `down` of an applied migration, and remove it from the record.

        Args:
            dry_run: write nothing.
            verbose: print what is done.

        Returns:
            Whether it was rolled back; False if it is not applied, has no `down`, or failed, which is logged.

        Raises:
            SchemaMigrationError: there is no such migration, or its file cannot be used.
            LeaseHeldError, LeaseLostError, ConfigurationError: see `run`.
        """
        try:
            return await self._roll_back("rollback", migration_id, dry_run=dry_run, verbose=verbose)
        except SchemaMigrationError as exc:
            if exc.__cause__ is None:  # not executed
                raise
            printer(verbose)(exc.message)
            logger.warning("%s", exc.message)
            return False

    async def downgrade(self, steps: int = 1, dry_run: bool = False, verbose: bool = False) -> int:
        """Roll back the applied migrations with the last ids, the last one first.

        It ends at a migration that has no `down`, or fails, which is logged. One without a file is skipped.

        Args:
            steps: how many.
            dry_run: count them, and write nothing.
            verbose: print what is done.

        Returns:
            The number of migrations that were rolled back.

        Raises:
            LeaseHeldError, LeaseLostError, ConfigurationError: see `run`.
        """
        if not dry_run and is_skipped(f"{type(self).__name__}().downgrade()"):
            return 0
        say = printer(verbose)
        watch = Watch(
            done=lambda name: say(f"Rolled back {name}"),
            left=lambda name, reason: say(f"Skipped {name}: {reason}"),
        )
        execution = self._execution(watch)
        if dry_run:
            ids = last_applied(await server_of_client(self.redis).run(execution.status()), steps)
            for name in ids:
                say(f"Would roll back {name}")
            return len(ids)
        result = await self._perform(execution.downgrade(steps))
        if result.error is not None:
            say(result.error.message)
            logger.warning("%s", result.error.message)
        return len(result.done)

    async def create_migration_file(self, name: str) -> str | None:
        """Write the differences between the indexes and the imported models to a new file, and return its path.

        `om migrate create` writes a file that replaces indexes without an interruption of queries.

        Args:
            name: what it changes, in a few words.

        Returns:
            The path; None if there are no differences.

        Raises:
            ConfigurationError: the name is invalid, or the file cannot be written.
            UnsupportedServerError: the server has no search module.
        """
        detector = Migrator(conn=self.redis)
        await detector.detect_migrations()
        operations = []
        for one in detector.migrations:
            if one.action is MigrationAction.CREATE:
                previous = await server_of_client(one.conn).run(call(get(schema_key(one.index_name))))
                operations.append(
                    {
                        "index_name": one.index_name,
                        "model_name": one.model_name,
                        "new_schema": one.schema,
                        "previous_schema": "" if previous is None else previous.decode(),
                    }
                )
        if not operations:
            return None
        migration_id = new_id(name, datetime.now(UTC))
        source = schema_file(migration_id, operations, is_async=ASYNC_MODE)
        return str(write_file(Path(self.migrations_dir), migration_id, source))


class _Times:
    """The times that the migrations of a run take."""

    def __init__(self) -> None:
        self._started = self._last = time.perf_counter()
        self.laps: list[float] = []

    def start(self) -> None:
        """Begin with a migration."""
        self._last = time.perf_counter()

    def lap(self) -> None:
        """End a migration."""
        self.laps.append(time.perf_counter() - self._last)

    def statistics(self) -> dict[str, float]:
        """Return the statistics in the format of redis-om."""
        total, count = time.perf_counter() - self._started, len(self.laps)
        return {
            "total_time_seconds": total,
            "processed_items": count,
            "items_per_second": count / total if total > 0 else 0,
            "average_batch_time": sum(self.laps) / count if count else 0,
            "total_batches": count,
        }
