"""Common base classes of data and schema migration files: their declaration, execution and record."""

import abc
import dataclasses
import logging
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from redstart.aio.connections import get_redis_connection, server_of_client
from redstart.aio.util import ASYNC_MODE
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION
from redstart.migrations.files.declarations import Declared, Kind
from redstart.migrations.files.loader import Found, load_directory, load_module
from redstart.migrations.files.redis_om_execution import (
    Executed,
    Execution,
    Step,
    Steps,
    Undone,
    UserCall,
    UserCode,
    Watch,
    require_kind_of_function,
)
from redstart.migrations.files.redis_om_history import (
    FilesStatus,
    applied_ids,
    files_status,
    mark_applied,
    mark_unapplied,
    refuse,
)
from redstart.migrations.import_guard import is_skipped
from redstart.migrations.lease import acquire
from redstart.migrations.lease_state import is_gone, this_process
from redstart.migrations.state_keys import FILES_LEASE
from redstart.settings import get_root_migrations_dir

if TYPE_CHECKING:
    import redis.asyncio

T = TypeVar("T")
logger = logging.getLogger(__name__)


class RedisOmMigration(abc.ABC):
    """Base class of migrations in files of a project.

    Args:
        redis_client: the client `self.redis` of `up` and `down`; by default one for REDIS_OM_URL.

    Raises:
        DataMigrationError, SchemaMigrationError: the class has no `migration_id`.
    """

    migration_id: str = ""
    """The id in the record of applied migrations. By convention the name of its file, without `.py`."""
    description: str = ""

    _kind: ClassVar[Kind]

    def __init__(self, redis_client: "redis.asyncio.Redis | None" = None) -> None:
        if not self.migration_id:
            raise self._kind.error(
                f"{type(self).__qualname__} has no migration_id, so it cannot be recorded as applied."
            )
        self.redis = get_redis_connection() if redis_client is None else redis_client

    @abc.abstractmethod
    async def up(self) -> None:
        """Apply the migration."""

    async def down(self) -> None:
        """Undo the migration.

        Raises:
            NotImplementedError: the migration does not override this method.
        """
        raise NotImplementedError(f"{self.migration_id} cannot be undone: it does not override down().")


class RedisOmMigrator:
    """The migrations of one kind in a directory or module, and the record of applied ones."""

    APPLIED_MIGRATIONS_KEY: str
    """The key of the set of applied ids. A subclass or an object may set another one."""

    _kind: ClassVar[Kind]

    def __init__(self, redis_client: "redis.asyncio.Redis | None", migrations_dir: str | None) -> None:
        self.redis = get_redis_connection() if redis_client is None else redis_client
        self.migrations_dir = migrations_dir or str(self._kind.directory(get_root_migrations_dir()))
        self.migration_module: str | None = None

    async def discover_migrations(self) -> dict[str, Declared]:
        """Return the declared migrations, by id. Nothing is sent.

        Raises:
            DataMigrationError, SchemaMigrationError: a file cannot be read, or two migrations have the same id.
            ConfigurationError: the directory cannot be listed, or the module cannot be imported.
        """
        found = self._load()
        refuse(found.problems, found.where, self._kind)
        return found.migrations

    async def get_pending_migrations(self) -> list[Declared]:
        """Return the migrations that are not recorded as applied, each after its dependencies.

        Raises:
            DataMigrationError, SchemaMigrationError: a file cannot be read, or depends on an unknown migration.
            ConfigurationError: the directory cannot be listed, or the module cannot be imported.

        Effects: one read.
        """
        return list((await self._status()).pending)

    async def status(self) -> dict[str, Any]:
        """Return the numbers and ids of all, applied and pending migrations.

        Returns:
            `total_migrations`, `applied_count`, `pending_count`, `applied_migrations`, `pending_migrations`.

        Raises:
            DataMigrationError, SchemaMigrationError, ConfigurationError: see `get_pending_migrations`.

        Effects: one read.
        """
        return (await self._status()).to_redis_om_dict()

    async def _applied(self) -> set[str]:
        return await server_of_client(self.redis).run(applied_ids(self._recorded))

    async def _mark(self, migration_id: str, *, applied: bool) -> None:
        change = mark_applied if applied else mark_unapplied
        if is_skipped(f"{type(self).__name__}().{change.__name__}()"):
            return
        await server_of_client(self.redis).run(change(self._recorded, migration_id))

    async def _status(self) -> FilesStatus:
        found = files_status(self._load(), await self._applied(), [DATETIME_MIGRATION])
        refuse(found.problems, found.where, self._kind)
        return found

    def _execution(self, watch: Watch) -> Execution:
        """Return the execution of the files. Raises ConfigurationError, see `discover_migrations`."""
        acquiring = acquire(
            FILES_LEASE,
            uuid.uuid4().hex,
            this_process(),
            is_gone=is_gone,
            clock=time.monotonic,
            waiting=logger.warning,
        )
        built_in = (DATETIME_MIGRATION,)
        return Execution(self._recorded, self._load(), built_in, acquiring, ASYNC_MODE, watch)

    async def _perform(self, steps: Steps[T]) -> T:
        """Perform the operations and the calls of an execution."""
        code = UserCode(lambda _: self.redis)
        try:
            step = next(steps)
            while True:
                try:
                    result = await self._perform_step(step, code)
                except BaseException as exc:  # noqa: BLE001 - the execution releases its lease, and raises it again
                    step = steps.throw(exc)
                else:
                    step = steps.send(result)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]  # StopIteration does not carry the type

    async def _perform_step(self, step: Step, code: UserCode) -> Any:
        if not isinstance(step, UserCall):
            return await server_of_client(self.redis).run(step)
        return await require_kind_of_function(code.start(step), step, is_async=ASYNC_MODE)

    async def _run(
        self, method: str, *, dry_run: bool, limit: int | None, verbose: bool, watch: Watch | None = None
    ) -> Executed:
        """Run pending migrations, or return those that a run would apply."""
        if not dry_run and is_skipped(f"{type(self).__name__}().{method}()"):
            return Executed()
        say = printer(verbose)
        if watch is None:
            watch = Watch(
                started=lambda name: say(f"Running {name}"),
                done=lambda name: say(f"Applied {name}"),
                left=lambda name, reason: say(f"Skipped {name}: {reason}"),
            )
        execution = self._execution(watch)
        if dry_run:
            pending = await server_of_client(self.redis).run(execution.pending(limit or None))
            for one in pending:
                say(f"Would run {one.migration_id}: {one.description}")
            return Executed(done=tuple(one.migration_id for one in pending))
        result = await self._perform(execution.run(limit or None))
        say(f"Applied {len(result.done)} {self._kind.name} migration(s).")
        return result

    async def _roll_back(self, method: str, migration_id: str, *, dry_run: bool, verbose: bool) -> bool:
        """Roll back one migration. Return whether it was applied and is not any more."""
        if not dry_run and is_skipped(f"{type(self).__name__}().{method}()"):
            return False
        say = printer(verbose)
        execution = self._execution(Watch())
        if dry_run:
            is_applied = await server_of_client(self.redis).run(execution.is_applied(migration_id))
            say(f"{'Would roll back' if is_applied else 'Not applied:'} {migration_id}")
            return is_applied
        undone = await self._perform(execution.roll_back(migration_id))
        texts = {
            Undone.DONE: "Rolled back",
            Undone.NOT_APPLIED: "Not applied:",
            Undone.NOT_SUPPORTED: "Cannot be rolled back, it has no down():",
        }
        say(f"{texts[undone]} {migration_id}")
        return undone is Undone.DONE

    @property
    def _recorded(self) -> Kind:
        """Return the kind of migrations, with the record of this migrator."""
        return dataclasses.replace(self._kind, record=self.APPLIED_MIGRATIONS_KEY)

    def _load(self) -> Found:
        if self.migration_module is not None:
            return load_module(self.migration_module, self._kind)
        return load_directory(Path(self.migrations_dir), self._kind)


def printer(verbose: bool) -> Callable[[str], None]:
    """Return a function that prints a line to stdout, as redis-om's migrators do if they are verbose."""
    return print if verbose else lambda _: None
