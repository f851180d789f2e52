"""The conversion of stored dates for programs: the operations of `om migrate-data`, with their results as objects."""

import logging
import time
import uuid
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from redstart.aio.connections import client_of, get_redis_connection, server_of_client, shared_client
from redstart.effects import Op
from redstart.errors import ConfigurationError, StateDamagedError
from redstart.mapping.base_model import registered_models
from redstart.mapping.model_info import ModelDeclaration, declare, distinct
from redstart.mapping.models import RedisModel
from redstart.migrations.context import Monitor, Progress
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.date_migration import DateMigration as Operations
from redstart.migrations.failure import Failure
from redstart.migrations.import_guard import is_skipped
from redstart.migrations.lease_state import LeaseState, this_process
from redstart.migrations.options import MigrationOptions, RollbackOptions, failure_mode_of
from redstart.migrations.outcomes import (
    RecordedFailures,
    SchemaResult,
    StatisticsResult,
    StatusResult,
    VerificationResult,
)
from redstart.migrations.run_progress import RunProgress
from redstart.migrations.run_results import DryRun, MigrationResult, RollbackResult
from redstart.migrations.server_checks import on_suitable_server
from redstart.settings import exclude_prefixes as excluded_in_settings
from redstart.settings import naive_timezone

if TYPE_CHECKING:
    import redis.asyncio

_log = logging.getLogger(__name__)
T = TypeVar("T")


class DateMigration:
    """The conversion of the dates of models from text format to numeric format, and its rollback.

    Each method is a command of `om migrate-data` with the same checks; either can resume or undo a run of the other.
    No method raises an error for the `outcome` of its result; `raise_for_outcome()` raises a DataMigrationError for all
    but a success.

    Args:
        models: the models; by default all that are imported when a method is called.
        client: a client of the server; by default that of the models.
        url: the URL of the server, in place of a client.
        exclude_prefixes: longer key prefixes whose keys belong to no model; by default those in the settings.
        on_progress: called after each page with the progress. It must not use the server.

    Raises:
        ConfigurationError: both a client and a URL are given, or the URL is not valid.
    """

    def __init__(
        self,
        models: Iterable[type[RedisModel]] | None = None,
        *,
        client: "redis.asyncio.Redis | None" = None,
        url: str | None = None,
        exclude_prefixes: Iterable[str] | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        if client is not None and url is not None:
            raise ConfigurationError("A client and a URL are given.", "Give one of them.")
        self._models = None if models is None else tuple(models)
        self._client = client if url is None else get_redis_connection(url=url)
        self._exclude_prefixes = None if exclude_prefixes is None else tuple(exclude_prefixes)
        self._on_progress = on_progress

    async def stats(self, *, exact: bool = False, batch_size: int = 1_000) -> StatisticsResult:
        """Count documents and values by kind, and estimate the duration of a run, as `om migrate-data stats`.

        Args:
            exact: read every document instead of a sample.
            batch_size: keys scanned per batch.

        Raises:
            ConfigurationError: no models are imported, or they cannot be migrated together.
            MigrationError, ServerError: any other reason; see `redstart.errors`.

        Effects: reads only.
        """
        return await self._perform(self._operations().stats(exact=exact, batch_size=batch_size))

    async def dry_run(
        self,
        *,
        failure_mode: FailureMode | str = FailureMode.LOG_AND_SKIP,
        batch_size: int = 1_000,
        accept_unindexed: bool = False,
        keep_old_index: bool = False,
        aliases: Iterable[str] = (),
        include_prefixes: Iterable[str] = (),
    ) -> DryRun:
        """Read and classify every value, as `om migrate-data run --dry-run`.

        Args:
            failure_mode: as for `run`.
            batch_size: as for `run`.
            accept_unindexed: as for `run`.
            keep_old_index: as for `run`.
            aliases: as for `run`.
            include_prefixes: as for `run`.

        Returns:
            What a run would do; `refusal` is the error that it would raise.

        Raises:
            ConfigurationError, MigrationError, ServerError: as for `stats`.

        Effects: reads only.
        """
        options = MigrationOptions(
            failure_mode=failure_mode_of(failure_mode),
            batch_size=batch_size,
            accept_unindexed=accept_unindexed,
            keep_old_index=keep_old_index,
            aliases=tuple(aliases),
            include_prefixes=tuple(include_prefixes),
        )
        return await self._perform(self._operations().dry_run(options))

    async def run(
        self,
        *,
        failure_mode: FailureMode | str = FailureMode.LOG_AND_SKIP,
        batch_size: int = 1_000,
        max_errors: int | None = None,
        limit_documents: int | None = None,
        accept_unindexed: bool = False,
        keep_old_index: bool = False,
        aliases: Iterable[str] = (),
        include_prefixes: Iterable[str] = (),
        expand: bool = True,
        resume: bool = True,
    ) -> MigrationResult:
        """Convert every date of the models, and cut over the indexes, as `om migrate-data run`.

        Queries work all the time.

        Args:
            failure_mode: what to do with values that cannot be converted: `skip`, `log_and_skip`, `fail`, `default` or
                `quarantine`.
            batch_size: keys scanned per batch, 1 to 100,000.
            max_errors: stop after this many failed values.
            limit_documents: stop when this many documents are changed.
            accept_unindexed: cut over even if documents drop out of query results.
            keep_old_index: keep a copy of an index whose name becomes an alias.
            aliases: other aliases of the indexes, which follow the cutover.
            include_prefixes: longer key prefixes whose keys are documents of the models.
            expand: False to fail if an index is not ready, instead of preparing it.
            resume: False to start an interrupted run again from the beginning.

        Raises:
            ConfigurationError: an argument is out of range; or no models are imported, or they cannot be migrated
                together.
            LeaseHeldError: another run is in progress.
            MigrationError, ServerError: any other reason; see `redstart.errors`.

        Effects: those of `om migrate-data run`. Safe to repeat, also after an interruption. Does nothing while `om`
            imports the calling module.
        """
        options = MigrationOptions(
            failure_mode=failure_mode_of(failure_mode),
            batch_size=batch_size,
            max_errors=max_errors,
            limit_documents=limit_documents,
            accept_unindexed=accept_unindexed,
            keep_old_index=keep_old_index,
            aliases=tuple(aliases),
            include_prefixes=tuple(include_prefixes),
            expand=expand,
            resume=resume,
        )
        if is_skipped("DateMigration().run()"):
            return MigrationResult(None, is_skipped=True)
        return await self._perform(self._operations().run(options), writes=True)

    async def verify(self, *, check_data: bool = False, batch_size: int = 1_000) -> VerificationResult:
        """Read every value again, and look up every document in its index, as `om migrate-data verify`.

        Args:
            check_data: also convert every original in the undo log again, and load every document through its model.
            batch_size: keys scanned per batch.

        Raises:
            ConfigurationError, MigrationError, ServerError: as for `stats`.

        Effects: reads only.
        """
        return await self._perform(self._operations().verify(check_data=check_data, batch_size=batch_size))

    async def status(self) -> StatusResult:
        """Return the phase, and the models that are applied or pending, as `om migrate-data status`.

        Raises:
            ConfigurationError, MigrationError, ServerError: as for `stats`.

        Effects: reads only, at most 1,000 documents of each model.
        """
        return await self._perform(self._operations().status())

    async def check_schema(self) -> SchemaResult:
        """Compare the dates of the active indexes with the models, as `om migrate-data check-schema`.

        Raises:
            UnsupportedServerError: the server has no search module.
            MigrationError, ServerError: as for `stats`.

        Effects: a few reads, and none of documents.
        """
        return await self._perform(self._operations().check_schema())

    async def progress(self) -> RunProgress:
        """Return the progress of a running or interrupted run or rollback, as `om migrate-data progress`.

        Raises:
            MigrationError, ServerError: see `redstart.errors`.

        Effects: a few reads, and none of documents.
        """
        return await self._perform(self._operations(needs_models=False).progress())

    async def failures(self) -> RecordedFailures:
        """Return the failed values of the last run, and those not restored by a rollback, as `om migrate-data errors`.

        Raises:
            MigrationError, ServerError: see `redstart.errors`.

        Effects: reads only; one for each 500 failures, and some.
        """
        return await self._perform(self._operations(needs_models=False).failures())

    async def preview_rollback(
        self,
        *,
        reformat_preexisting: bool = False,
        batch_size: int = 1_000,
        include_prefixes: Iterable[str] = (),
        accept_unindexed: bool = False,
    ) -> RollbackResult:
        """Count the values that a rollback would restore and rewrite, as `om migrate-data rollback --dry-run`.

        Args:
            reformat_preexisting: as for `rollback`.
            batch_size: as for `rollback`.
            include_prefixes: as for `rollback`.

        Raises:
            MigrationError, ServerError: see `redstart.errors`.

        Effects: reads only.
        """
        options = RollbackOptions(reformat_preexisting, batch_size, tuple(include_prefixes), accept_unindexed)
        return await self._perform(self._operations(needs_models=False).preview_rollback(options))

    async def rollback(
        self,
        *,
        reformat_preexisting: bool = False,
        batch_size: int = 1_000,
        include_prefixes: Iterable[str] = (),
        accept_unindexed: bool = False,
    ) -> RollbackResult:
        """Restore the original bytes of each value that has not changed since, as `om migrate-data rollback`.

        Does not require models.

        Args:
            reformat_preexisting: also rewrite numbers that existed before the run as text.
            batch_size: keys scanned per batch, 1 to 100,000.
            include_prefixes: longer key prefixes whose keys are documents of the models of the runs.
            accept_unindexed: roll back even if documents drop out of indexes that belong to no model.

        Raises:
            ConfigurationError: an argument is out of range.
            LeaseHeldError: another run is in progress.
            MigrationError, ServerError: any other reason; see `redstart.errors`.

        Effects: those of `om migrate-data rollback`. Safe to repeat, also after an interruption. Does nothing while
            `om` imports the calling module.
        """
        options = RollbackOptions(reformat_preexisting, batch_size, tuple(include_prefixes), accept_unindexed)
        if is_skipped("DateMigration().rollback()"):
            return RollbackResult(None, is_skipped=True, migration_id=DATETIME_MIGRATION)
        return await self._perform(self._operations(needs_models=False).rollback(options), writes=True)

    async def clear_progress(self) -> bool:
        """Delete the progress of an interrupted run or rollback, as `om migrate-data clear-progress`.

        The next run starts from the beginning. Converted values and the undo log are kept.

        Returns:
            Whether progress was saved.

        Raises:
            LeaseHeldError: a run is in progress.
            MigrationError, ServerError: any other reason; see `redstart.errors`.

        Effects: a few reads, and a write. Safe to repeat. Does nothing while `om` imports the calling module.
        """
        if is_skipped("DateMigration().clear_progress()"):
            return False
        return await self._perform(self._operations(needs_models=False).clear_progress(), writes=True)

    async def drop_undo_log(self) -> bool:
        """Drop the undo log, and the originals that a rollback could not restore, as `om migrate-data drop-undo-log`.

        Converted values can no longer be rolled back.

        Returns:
            Whether there was an undo log.

        Raises:
            LeaseHeldError: a run is in progress.
            MigrationError, ServerError: any other reason, such as an interrupted run; see `redstart.errors`.

        Effects: a few reads, and a write. Safe to repeat. Does nothing while `om` imports the calling module.
        """
        if is_skipped("DateMigration().drop_undo_log()"):
            return False
        return await self._perform(self._operations(needs_models=False).drop_undo_log(), writes=True)

    async def force_unlock(self) -> list[LeaseState | StateDamagedError]:
        """Remove the leases of data and indexes, as `om migrate-data force-unlock`.

        A lease holder that is still alive stops before its next write.

        Returns:
            The leases that were removed; for an unreadable lease, the error.

        Raises:
            MigrationError, ServerError: see `redstart.errors`.

        Effects: a few reads and writes. Safe to repeat. Does nothing while `om` imports the calling module.
        """
        if is_skipped("DateMigration().force_unlock()"):
            return []
        return await self._perform(self._operations(needs_models=False).force_unlock(), writes=True)

    async def _perform(self, operation: Op[T], *, writes: bool = False) -> T:
        server = server_of_client(self._client_of_server())
        return await server.run(on_suitable_server(operation, writes=writes, warn=_log.warning))

    def _operations(self, *, needs_models: bool = True) -> Operations:
        monitor = Monitor(failure=_log_failure, waiting=_log.warning)
        if self._on_progress is not None:
            monitor.progress = self._on_progress
        excluded = excluded_in_settings() if self._exclude_prefixes is None else self._exclude_prefixes
        return Operations.for_dates(
            self._declarations() if needs_models else (),
            naive_timezone(),
            holder=this_process(),
            token=uuid.uuid4().hex,
            clock=time.monotonic,
            monitor=monitor,
            exclude_prefixes=excluded,
            exclusions_are_settings=self._exclude_prefixes is None,
        )

    def _given_models(self) -> Iterable[type[RedisModel]]:
        return registered_models() if self._models is None else self._models

    def _declarations(self) -> list[ModelDeclaration]:
        declarations = distinct(map(declare, self._given_models()))
        if not declarations:
            raise ConfigurationError("No models are imported.", "Import the modules of your models first.")
        return declarations

    def _client_of_server(self) -> "redis.asyncio.Redis":
        if self._client is not None:
            return self._client
        clients = [client_of(model) for model in self._given_models()]
        servers = {server_of_client(client).where: client for client in clients}
        if len(servers) > 1:
            raise ConfigurationError(
                f"The models use different servers: {', '.join(sorted(servers))}.",
                "Migrate the models of each server on their own: DateMigration([MODEL, ...])",
            )
        return next(iter(servers.values()), None) or shared_client()


def _log_failure(failure: Failure) -> None:
    _log.warning("not converted: %s", failure)
