# Generated from redstart/aio/project_migrations.py: change that, then `python -m tools.generate_sync`.
"""The migration files of a project for programs: the operations of `om upgrade`, with their results as objects."""

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from redstart.effects import Op
from redstart.errors import ConfigurationError
from redstart.migrations.context import Monitor, Progress
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION
from redstart.migrations.data.results import RunOptions
from redstart.migrations.date_migration import DateMigration
from redstart.migrations.failure import FailureMode
from redstart.migrations.file_results import ContractResult, FileRollbackResult, FilesResult
from redstart.migrations.files.project_history import ProjectFiles, ProjectHistory, SourceFiles, read_project
from redstart.migrations.import_guard import is_skipped
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.lease_state import this_process, this_user
from redstart.migrations.options import failure_mode_of
from redstart.migrations.project_migrations import FileMigrations as Operations
from redstart.migrations.server_checks import on_suitable_server
from redstart.settings import exclude_prefixes as excluded_in_settings
from redstart.settings import get_root_migrations_dir, naive_timezone
from redstart.sync.connections import (
    client_for_functions,
    get_redis_connection,
    server_of_client,
    shared_client,
)

if TYPE_CHECKING:
    import redis

_log = logging.getLogger(__name__)
T = TypeVar("T")


class FileMigrations:
    """The migration files of a project: applied, rolled back, listed.

    Each method is a command of `om` with the same checks; either can resume or undo a run of the other. The files are
    read, and each is executed, when a method is called.

    Args:
        directory: of the files; by default that of `om`.
        client: a client of the server; by default that of REDIS_OM_URL.
        url: the URL of the server, in place of a client.
        on_progress: called after each page with the progress. It must not use the server.

    Raises:
        ConfigurationError: both a client and a URL are given, or the URL is not valid.
    """

    def __init__(
        self,
        directory: str | Path | None = None,
        *,
        client: "redis.Redis | None" = None,
        url: str | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        if client is not None and url is not None:
            raise ConfigurationError("A client and a URL are given.", "Give one of them.")
        self._directory = directory
        self._client = client if url is None else get_redis_connection(url=url)
        self._on_progress = on_progress

    def status(self) -> ProjectHistory:
        """Return all files in order, and which of them are applied, as `om migrate history`.

        Raises:
            ConfigurationError: the directory cannot be listed.
            MigrationError, ServerError: any other reason; see `redstart.errors`.

        Effects: reads only.
        """
        return (self._files()).history

    def pending(self) -> list[str]:
        """Return the ids of the pending files, in the order in which they are applied.

        Raises:
            ConfigurationError, MigrationError, ServerError: as for `status`.

        Effects: reads only.
        """
        return [file.migration_id for file in (self.status()).pending]

    def upgrade(
        self,
        to: str | None = None,
        *,
        failure_mode: FailureMode | str = FailureMode.LOG_AND_SKIP,
        accept_unindexed: bool = False,
        keep_old_index: bool = False,
    ) -> FilesResult:
        """Apply the pending files, as `om upgrade`.

        Args:
            to: only this file, and those that it depends on. The beginning of an id is enough.
            failure_mode: what to do with a document that cannot be changed: `log_and_skip` or `fail`.
            accept_unindexed: cut over even if documents drop out of query results.
            keep_old_index: keep a copy of each replaced index.

        Returns:
            The result of each file; `stopped` is the file at which the run stopped.

        Raises:
            MigrationFileError: the files cannot be used, or do not match the record; nothing was written.
            LeaseHeldError: another run is in progress.
            MigrationError, ServerError: any other reason; see `redstart.errors`.

        Effects: those of `om upgrade`. Safe to repeat, also after an interruption. Does nothing while `om` imports the
            calling module.
        """
        if is_skipped("FileMigrations().upgrade()"):
            return FilesResult()
        files = self._files()
        files.history.require_runnable()
        last = None if to is None else files.history.item(to).migration_id
        options = ExpansionOptions(accept_unindexed=accept_unindexed, keep_old_index=keep_old_index)
        run_options = RunOptions(failure_mode=failure_mode_of(failure_mode))
        return self._perform(self._operations(files).run(run_options, options, to=last), writes=True)

    def downgrade(self, to: str | None = None, *, accept_unindexed: bool = False) -> list[FileRollbackResult]:
        """Roll back all files that were applied after one, as `om downgrade`.

        Args:
            to: the file that stays. None: all files are rolled back.
            accept_unindexed: roll back even if documents drop out of query results.

        Returns:
            The result of each file, the last applied one first. Only the last result may be incomplete.

        Raises:
            MigrationFileError: the file is not applied, or a file was edited; nothing was written.
            LeaseHeldError: another run is in progress.
            MigrationError, ServerError: any other reason; see `redstart.errors`.

        Effects: those of `om downgrade`. Safe to repeat, also after an interruption. Does nothing while `om` imports
            the calling module.
        """
        if is_skipped("FileMigrations().downgrade()"):
            return []
        files = self._files()
        operations = self._operations(files)
        ids = operations.after(None if to is None else files.history.item(to).migration_id)
        options = ExpansionOptions(accept_unindexed=accept_unindexed)
        return self._perform(operations.roll_back_all(files, ids, options), writes=True)

    def cleanup(self) -> list[tuple[str, ContractResult]]:
        """Remove the values that only versions before the applied files need. Unused indexes are kept.

        Returns:
            The result of each file that removes values. Only the last one may be incomplete.

        Raises:
            ConfigurationError, MigrationError, ServerError: as for `upgrade`.

        Effects: those of `om migrate cleanup` on documents. Safe to repeat. Does nothing while `om` imports the calling
            module.
        """
        if is_skipped("FileMigrations().cleanup()"):
            return []
        operations = self._operations(self._files())
        return self._perform(operations.contract(RunOptions()), writes=True)

    def _files(self) -> ProjectFiles:
        source = SourceFiles.load(Path(self._directory or get_root_migrations_dir()), (DATETIME_MIGRATION,))
        return self._perform(read_project(source))

    def _operations(self, files: ProjectFiles) -> Operations:
        monitor = Monitor(waiting=_log.warning)
        if self._on_progress is not None:
            monitor.progress = self._on_progress
        excluded = excluded_in_settings()
        base = DateMigration.for_dates(
            (),
            naive_timezone(),
            holder=this_process(),
            token=uuid.uuid4().hex,
            clock=time.monotonic,
            monitor=monitor,
            exclude_prefixes=excluded,
        )
        client = self._client or shared_client()
        context = replace(base.context, client=partial(client_for_functions, client))
        return Operations(files.history, context, this_user(), exclude_prefixes=tuple(excluded))

    def _perform(self, operation: Op[T], *, writes: bool = False) -> T:
        server = server_of_client(self._client or shared_client())
        return server.run(on_suitable_server(operation, writes=writes, warn=_log.warning))
