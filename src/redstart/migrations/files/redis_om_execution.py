"""Execution of redis-om's migration files: which methods are called, in which order, and what is recorded.

An execution yields operations and calls of the project's code, and is sent their results. A driver performs both; so
sync code, async code and `om` execute files in the same way.
"""

import inspect
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, TypeAlias, TypeVar

from redstart.display import printable
from redstart.effects import Op
from redstart.errors import LeaseLostError, MigrationError, ServerError
from redstart.migrations.files.declarations import Declared, Kind
from redstart.migrations.files.loader import Found, describe_import_error, user_frame
from redstart.migrations.files.redis_om_history import FilesStatus, applied_ids, files_status, refuse
from redstart.migrations.lease import Lease
from redstart.migrations.lease_state import Activity
from redstart.next_steps import Hint

T = TypeVar("T")

HELD_MS: Final = 3_600_000
"""How long the lease is held for one call of the project's code, which does not renew it."""


@dataclass(frozen=True, slots=True)
class UserCall:
    """A call of a method of a migration. The driver has one instance of each migration, with a client."""

    declared: Declared
    method: str


Step: TypeAlias = "Op[Any] | UserCall"
Steps: TypeAlias = Generator[Step, Any, T]
"""An execution: yields operations and calls, is sent their results, and returns a `T`."""


class UserCode:
    """The migrations of one execution, instantiated when they are first called.

    Args:
        client_for: returns the client of a migration.
    """

    def __init__(self, client_for: Callable[[Declared], Any]) -> None:
        self._client_for = client_for
        self._migrations: dict[type[Any], Any] = {}

    def start(self, call: UserCall) -> Any:
        """Call the method. Return what it returns; of an asynchronous one, an awaitable."""
        declaration = call.declared.declaration
        if declaration not in self._migrations:
            migration = declaration(self._client_for(call.declared))
            if isinstance(getattr(migration, "operations", None), list):
                migration.operations = [_repaired(one) for one in migration.operations]
            self._migrations[declaration] = migration
        return getattr(self._migrations[declaration], call.method)()


_QUOTATION = '"""'


def _repaired(operation: Any) -> Any:
    """Return an operation without the quotation marks that redis-om 1.2.0 writes between all characters of a schema.

    With them, the file would drop the index, and the server would reject the new one.
    """
    if not isinstance(operation, dict):
        return operation
    return {name: _without_quotation(value) for name, value in operation.items()}


def _without_quotation(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = value.replace(_QUOTATION, "")
    return text if value == text.replace("", _QUOTATION) else value


def require_kind_of_function(result: Any, call: UserCall, *, is_async: bool) -> Any:
    """Return what a method returned, if it is asynchronous or not, as expected.

    Raises:
        TypeError: it is not. Nothing of an asynchronous function was executed.
    """
    if inspect.isawaitable(result) is is_async:
        return result
    if inspect.iscoroutine(result):
        result.close()
    other = "not asynchronous, but up() is" if is_async else "asynchronous, but up() is not"
    raise TypeError(f"{call.method}() is {other}")


@dataclass(frozen=True, slots=True)
class Watch:
    """Callbacks of an execution.

    Attributes:
        started: before a migration is applied or rolled back.
        done: afterwards.
        left: a migration is skipped, with the reason.
    """

    started: Callable[[str], None] = field(default=lambda _: None)
    done: Callable[[str], None] = field(default=lambda _: None)
    left: Callable[[str, str], None] = field(default=lambda _id, _reason: None)


@dataclass(frozen=True, slots=True)
class Executed:
    """The result of a run or downgrade.

    Attributes:
        done: ids of the migrations that were applied or rolled back, in order.
        left: those that were skipped, with the reason of each.
        failed: the one that failed, which ended the execution; "" if none did.
        error: why it failed.
    """

    done: tuple[str, ...] = ()
    left: dict[str, str] = field(default_factory=dict)
    failed: str = ""
    error: MigrationError | None = None


class Undone(StrEnum):
    """The result of the rollback of one migration."""

    DONE = "done"
    NOT_APPLIED = "not_applied"
    NOT_SUPPORTED = "not_supported"


@dataclass(frozen=True, slots=True)
class Execution:
    """The execution of redis-om's migration files of one kind.

    Attributes:
        kind: with the record to use.
        found: the files.
        built_in: ids of migrations without a file, which may be dependencies.
        acquiring: the lease. An execution can be used once.
        is_async: which migrations can be executed, those with an asynchronous or a plain `up`; None: both.
    """

    kind: Kind
    found: Found
    built_in: tuple[str, ...]
    acquiring: Op[Lease]
    is_async: bool | None = None
    watch: Watch = Watch()

    def status(self) -> Op[FilesStatus]:
        """Return which migrations are applied and pending. One read."""
        return files_status(self.found, (yield from applied_ids(self.kind)), self.built_in)

    def pending(self, limit: int | None = None) -> Op[list[Declared]]:
        """Return the migrations that `run` would try to apply, in order.

        Raises:
            DataMigrationError, SchemaMigrationError: a file cannot be read, ordered or executed.

        Effects: one read.
        """
        status = yield from self.status()
        refuse(status.problems, status.where, self.kind)
        pending = list(status.pending)[:limit]
        for one in pending:
            self._require_executable(one)
        return pending

    def run(self, limit: int | None = None) -> Steps[Executed]:
        """Apply pending migrations, under the lease, and record each after its `up`.

        A migration stays pending if its `can_run` is false, or if a dependency is not applied. The first one that
        fails ends the run.

        Args:
            limit: how many at most.

        Raises:
            DataMigrationError, SchemaMigrationError: see `pending`; nothing was executed.
            LeaseHeldError: another run is in progress; nothing was executed.
            LeaseLostError: the run lost its lease; the last `up` was executed and is not recorded.
        """
        if not (yield self.pending(limit)):
            return Executed()
        return (yield from self._under_lease(lambda lease: self._run(lease, limit)))

    def roll_back(self, migration_id: str) -> Steps[Undone]:
        """Call `down` of an applied migration, under the lease, and remove it from the record.

        Raises:
            DataMigrationError, SchemaMigrationError: there is no such file, or it cannot be executed; or `down` failed.
            LeaseHeldError, LeaseLostError: see `run`.
        """
        status = yield self.status()
        one = self._declared(status, migration_id)
        if migration_id not in status.recorded:
            return Undone.NOT_APPLIED
        self._require_executable(one)
        return (yield from self._under_lease(lambda lease: self._roll_back(lease, one)))

    def is_applied(self, migration_id: str) -> Op[bool]:
        """Return whether `roll_back` would execute a migration. Raises the errors of `roll_back`; one read."""
        status = yield from self.status()
        one = self._declared(status, migration_id)
        self._require_executable(one)
        return migration_id in status.recorded

    def downgrade(self, steps: int) -> Steps[Executed]:
        """Roll back the applied migrations with the last ids, the last one first. The first one that fails ends it.

        Raises:
            LeaseHeldError, LeaseLostError: see `run`.
        """
        ids = last_applied((yield self.status()), steps)
        if not ids:
            return Executed()
        return (yield from self._under_lease(lambda lease: self._downgrade(lease, ids)))

    def _run(self, lease: Lease, limit: int | None) -> Steps[Executed]:
        pending = yield self.pending(limit)
        applied: set[str] = yield applied_ids(self.kind)
        result = Executed()
        for one in pending:
            self.watch.started(one.migration_id)
            missing = [name for name in one.dependencies if name not in applied]
            try:
                if missing:
                    reason = f"it depends on {', '.join(map(printable, missing))}, which is not applied"
                elif self.kind.has_checks and not (yield from self._call(lease, one, "can_run")):
                    reason = "its can_run() returned false"
                else:
                    _ = yield from self._call(lease, one, "up")
                    reason = ""
            except self.kind.error as exc:
                return replace(result, failed=one.migration_id, error=exc)
            if reason:
                result = replace(result, left={**result.left, one.migration_id: reason})
                self.watch.left(one.migration_id, reason)
                continue
            yield from self._record(lease, one, "up", ["SADD", self.kind.record, one.migration_id])
            applied.add(one.migration_id)
            result = replace(result, done=(*result.done, one.migration_id))
            self.watch.done(one.migration_id)
        return result

    def _roll_back(self, lease: Lease, one: Declared) -> Steps[Undone]:
        if one.migration_id not in (yield applied_ids(self.kind)):
            return Undone.NOT_APPLIED
        self.watch.started(one.migration_id)
        try:
            _ = yield from self._call(lease, one, "down")
        except self.kind.error as exc:
            if isinstance(exc.__cause__, NotImplementedError):
                return Undone.NOT_SUPPORTED
            raise
        yield from self._record(lease, one, "down", ["SREM", self.kind.record, one.migration_id])
        self.watch.done(one.migration_id)
        return Undone.DONE

    def _downgrade(self, lease: Lease, ids: list[str]) -> Steps[Executed]:
        result = Executed()
        for migration_id in ids:
            one = self.found.migrations.get(migration_id)
            if one is None:
                reason = "no usable file declares it"
                result = replace(result, left={**result.left, migration_id: reason})
                self.watch.left(migration_id, reason)
                continue
            try:
                self._require_executable(one)
                undone = yield from self._roll_back(lease, one)
            except self.kind.error as exc:
                return replace(result, failed=one.migration_id, error=exc)
            if undone is Undone.NOT_SUPPORTED:
                return replace(result, failed=migration_id, error=not_supported(self.kind, one))
            result = replace(result, done=(*result.done, migration_id))
        return result

    def _call(self, lease: Lease, one: Declared, method: str) -> Steps[Any]:
        """Hold the lease, and call a method.

        Raises:
            DataMigrationError, SchemaMigrationError: it raised an error.
        """
        yield lease.hold(HELD_MS, Activity(f"{method}() of {printable(one.migration_id)}"))
        try:
            return (yield UserCall(one, method))
        except (Exception, SystemExit) as exc:  # the project's code may raise anything
            line = user_frame(exc, one.source)
            where = f"{printable(one.source)}{'' if line is None else f', line {line}'}"
            raise self.kind.error(
                f"{method}() of the {self.kind.name} migration {printable(one.migration_id)} failed: {where}: "
                f"{describe_import_error(exc, one.source)}. It is still "
                f"{'recorded as applied' if method == 'down' else 'pending'}.",
                "What it changed before the error stays as it is: there is no undo log of migration files of redis-om. "
                "Correct the cause, and run the same command again.",
            ) from exc

    def _record(self, lease: Lease, one: Declared, method: str, command: list[str]) -> Steps[None]:
        try:
            yield lease.commit([command])
        except LeaseLostError as exc:
            raise LeaseLostError(
                f"{method}() of the {self.kind.name} migration {printable(one.migration_id)} is complete, but the "
                f"record was not changed. {exc.message}",
                Hint(
                    "See whether another run has executed it, before you run it again: ",
                    self.kind.status_command,
                ),
            ) from exc

    def _under_lease(self, work: Callable[[Lease], Steps[T]]) -> Steps[T]:
        lease: Lease = yield self.acquiring
        try:
            result = yield from work(lease)
        except GeneratorExit:
            raise
        except BaseException:
            with suppress(ServerError):  # what happened before is reported; the lease expires
                yield lease.release()
            raise
        yield lease.release()
        return result

    def _declared(self, status: FilesStatus, migration_id: str) -> Declared:
        one = self.found.migrations.get(migration_id)
        if one is not None:
            return one
        for problem in self.found.problems:
            if problem.migration_id == migration_id:
                refuse([problem], status.where, self.kind)
        raise self.kind.error(
            f"The {self.kind.name} migration {printable(migration_id)} was not found in {printable(status.where)}.",
            Hint("List all with: ", self.kind.status_command),
        )

    def _require_executable(self, one: Declared) -> None:
        """Raise DataMigrationError or SchemaMigrationError for a migration of the other kind, sync or async."""
        if self.is_async is not None and one.is_async is not self.is_async:
            package, flavour = ("redstart", "async def") if one.is_async else ("redstart.aio", "def")
            other = "redstart.aio" if one.is_async else "redstart"
            raise self.kind.error(
                f"The {self.kind.name} migration {printable(one.migration_id)} ({printable(one.source)}) has "
                f"`{flavour} up`, which the migrators of {package} do not call.",
                f"Use the migrator of {other}, or `om`, which calls both.",
            )


def last_applied(status: FilesStatus, steps: int) -> list[str]:
    """Return the ids that a downgrade rolls back: the last recorded ones, the last one first."""
    return sorted(status.recorded, reverse=True)[: max(steps, 0)]


def not_supported(kind: Kind, one: Declared) -> MigrationError:
    """Return the error of a rollback of a migration without `down`."""
    return kind.error(
        f"The {kind.name} migration {printable(one.migration_id)} cannot be rolled back: {printable(one.source)} does "
        "not implement down().",
        "Undo its changes, and remove its id from the record.",
    )
