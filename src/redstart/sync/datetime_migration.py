# Generated from redstart/aio/datetime_migration.py: change that, then `python -m tools.generate_sync`.
"""The conversion of dates with redis-om's interface: `om migrate-data run` and `rollback` for programs."""

import logging
import time
import uuid
from typing import TYPE_CHECKING, Any

from redstart.commands.introspection import server_time
from redstart.effects import call
from redstart.errors import ConfigurationError, ServerError, shortened
from redstart.mapping.declaration import ModelDeclaration, declare, distinct
from redstart.mapping.registry import registered_models
from redstart.migrations.back import migrate_back
from redstart.migrations.data.converting.runner import RunOptions, RunResult
from redstart.migrations.data.judging.transform import FailureMode
from redstart.migrations.data.planned.plan import make_plan
from redstart.migrations.data.running.context import DATETIME_MIGRATION, Context
from redstart.migrations.data.running.monitor import Monitor
from redstart.migrations.data.state.failures import Failure, FailureLog
from redstart.migrations.data.state.keys import StateKeys
from redstart.migrations.forward import migrate_forward
from redstart.migrations.holder import this_process
from redstart.migrations.import_guard import is_skipped
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.indexes.plan import planned_indexes, require_one_definition_each
from redstart.migrations.outcomes import (
    ERRORS_SAID,
    require_converted,
    require_undone,
    statistics,
    unmatched_message,
)
from redstart.settings import exclude_prefixes, naive_timezone
from redstart.sync.connections import client_of, server_of_client
from redstart.sync.data_migrations import BaseMigration
from redstart.sync.migrator import index_migration

if TYPE_CHECKING:
    import redis

_log = logging.getLogger(__name__)


class DatetimeFieldMigration(BaseMigration):
    """Converts the dates of all models imported so far, as `om migrate-data run` does, and undoes that.

    It shares progress, undo log and lease with `om`: each can continue or undo what the other began.

    Args:
        redis_client: a client of the server; by default one for REDIS_OM_URL.
        failure_mode: what to do with a value that cannot be converted; `log_and_skip` also logs a warning.
        batch_size: how many keys are requested per step, 1 to 100,000.
        max_errors: stop once this many values could not be converted; None for no limit.
        enable_resume: if False, an interrupted run is not continued, but begun anew, as after
            `om migrate-data clear-progress`; the models may have changed since. What it has converted stays converted
            and can be undone. Progress is saved in any case, together with the work it covers.
        progress_save_interval: save progress after this many documents at the latest. By default after each step of
            `batch_size` keys.

    Raises:
        ConfigurationError: an argument is out of range.
    """

    migration_id = DATETIME_MIGRATION
    description = "Convert dates and datetimes stored as text to numbers"

    def __init__(
        self,
        redis_client: "redis.Redis | None" = None,
        failure_mode: FailureMode = FailureMode.LOG_AND_SKIP,
        batch_size: int = 1_000,
        max_errors: int | None = None,
        enable_resume: bool = True,
        progress_save_interval: int | None = None,
    ) -> None:
        super().__init__(redis_client)
        self.failure_mode = _failure_mode(failure_mode)
        self.batch_size = _within("batch_size", batch_size, 100_000)
        self.max_errors = None if max_errors is None else _within("max_errors", max_errors)
        self.enable_resume = enable_resume
        self.progress_save_interval = (
            None
            if progress_save_interval is None
            else _within("progress_save_interval", progress_save_interval)
        )
        self._client_is_given = redis_client is not None
        self._result: RunResult | None = None
        self._errors: list[Failure] = []

    def up(self) -> None:
        """Convert every date of the models, and cut the indexes over at the end. Queries are answered all the while.

        Raises:
            ConfigurationError: no models are declared, or they cannot be migrated together.
            DataMigrationError: it stopped (`max_errors`, failure mode `fail`); or an index was not cut over, because
                queries would no longer find some documents.
            MigrationError, ServerError: see redstart.migrations.forward; for example LeaseHeldError, while another
                run is at work.

        Effects: those of `om migrate-data run`. Safe to repeat, after a stop at any point.
        """
        if is_skipped("DatetimeFieldMigration().up()"):
            return
        server = server_of_client(self.redis)
        declarations = self._declarations()
        context = self._context()
        indexes = planned_indexes(declarations)
        require_one_definition_each(indexes)
        options = RunOptions(
            self.failure_mode,
            min(self.batch_size, self.progress_save_interval or self.batch_size),
            self.max_errors,
            resume=self.enable_resume,
        )
        plan = make_plan(declarations, context.naive_timezone.name, excluded=exclude_prefixes())
        found = server.run(
            migrate_forward(context, plan, options, indexes, index_migration(), ExpansionOptions())
        )
        self._result = found.data
        self._errors = server.run(FailureLog(context.keys).some(ERRORS_SAID))
        if found.data is not None and found.data.unmatched:
            _log.warning("%s", unmatched_message(found.data.unmatched))
        require_converted(found, self.failure_mode)

    def down(self) -> None:
        """Undo all runs since the last rollback: each value that is still as written gets its original bytes back.

        Needs no models. Does nothing if nothing was converted.

        Raises:
            DataMigrationError: it was refused, because queries would no longer find some documents; or it is done,
                but some values cannot be written in the old form, or could not be restored (`om migrate-data errors`).
            MigrationError, ServerError: see redstart.migrations.back.

        Effects: those of `om migrate-data rollback`. Safe to repeat, after a stop at any point.
        """
        if is_skipped("DatetimeFieldMigration().down()"):
            return
        going_back = migrate_back(self._context(), index_migration(), batch_documents=self.batch_size)
        require_undone(server_of_client(self.redis).run(going_back))

    def can_run(self) -> bool:
        """Whether the server answers. Any other obstacle is reported by `up`."""
        try:
            _ = server_of_client(self.redis).run(call(server_time()))
        except ServerError:
            return False
        return True

    def get_migration_stats(self) -> dict[str, Any]:
        """What the last `up` of this object did; all zeros before it.

        Returns:
            `processed_keys`, `converted_fields`, `skipped_fields` (numbers already, or null), `failed_conversions` and
            `error_count` (values recorded as not converted), `success_rate` (in percent), `recent_errors` (ten of those
            values at most: `key`, `field`, `value`, `error`); and `failure_mode`, `batch_size`, `max_errors` as given.
        """
        return statistics(self._result, self._errors) | {
            "failure_mode": self.failure_mode.value,
            "batch_size": self.batch_size,
            "max_errors": self.max_errors,
        }

    def _declarations(self) -> list[ModelDeclaration]:
        declarations = distinct(map(declare, registered_models()))
        if not declarations:
            raise ConfigurationError(
                "No models are imported.",
                "Import the modules of your models before you call up().",
            )
        here = server_of_client(self.redis).where
        for one in () if self._client_is_given else declarations:
            there = server_of_client(client_of(one.model)).where
            if there != here:
                raise ConfigurationError(
                    f"The documents of {one.name} are on {there}, but REDIS_OM_URL is {here}.",
                    f"Pass the client of the server: {type(self).__name__}({one.model.__name__}.db())",
                )
        return declarations

    def _context(self) -> Context:
        return Context(
            StateKeys(DATETIME_MIGRATION),
            naive_timezone(),
            this_process(),
            uuid.uuid4().hex,
            time.monotonic,
            Monitor(failure=_say, waiting=_log.warning),
        )


def _say(failure: Failure) -> None:
    _log.warning("not converted: %s", failure)


def _failure_mode(value: FailureMode) -> FailureMode:
    try:
        return FailureMode(value)
    except ValueError as exc:
        known = ", ".join(mode.value for mode in FailureMode)
        raise ConfigurationError(f"Unknown failure mode {shortened(value)}.", f"Use one of: {known}") from exc


def _within(name: str, number: int, most: int | None = None) -> int:
    if number < 1 or (most is not None and number > most):
        limits = "1 or more" if most is None else f"from 1 to {most:,}"
        raise ConfigurationError(f"{name} has to be {limits}, not {number}.")
    return number
