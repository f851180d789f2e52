# Generated from redstart/aio/data_migrations.py: change that, then `python -m tools.generate_sync`.
"""Conversion of dates with redis-om's interface: `om migrate-data run` and `rollback` for programs."""

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from redstart.commands.server_info import server_time
from redstart.effects import call
from redstart.errors import ConfigurationError, ServerError
from redstart.mapping.base_model import model_name, registered_models
from redstart.mapping.model_info import declare, distinct
from redstart.mapping.models import RedisModel
from redstart.migrations.data.datetime_conversion import DatetimeConversion
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.results import RunResult
from redstart.migrations.failure import Failure
from redstart.migrations.import_guard import is_skipped
from redstart.migrations.options import MigrationOptions, failure_mode_of, require_within
from redstart.migrations.run_results import unmatched_message
from redstart.migrations.schema_check import schema_mismatches
from redstart.sync.connections import client_of, server_of_client
from redstart.sync.date_migration import DateMigration
from redstart.sync.redis_om_migrators import BaseMigration

if TYPE_CHECKING:
    import redis

logger = logging.getLogger(__name__)
_OF_ANY_ZONE = DatetimeConversion.of_zone("UTC")  # no value is read, so the zone has no effect
MAX_ERRORS_SHOWN = 10
"""Failed values in the statistics; `om migrate-data errors` lists all."""


class DatetimeFieldMigration(BaseMigration):
    """The conversion of dates of all imported models, as by `om migrate-data run`, and its rollback.

    Progress, undo log and lease are those of `om`: either can resume or undo a run of the other.

    Args:
        redis_client: a client of the server; by default one for REDIS_OM_URL.
        failure_mode: how to handle values that cannot be converted; `log_and_skip` skips them and logs a warning.
        batch_size: keys scanned per batch, 1 to 100,000.
        max_errors: stop after this many failed values; None for no limit.
        enable_resume: if False, start an interrupted run again from the beginning, as after
            `om migrate-data clear-progress`; the models may have changed. Converted values remain converted and can be
            rolled back. Progress is always saved, together with the converted values.
        progress_save_interval: the maximum number of documents between two checkpoints; by default `batch_size`.

    Raises:
        ConfigurationError: an argument is out of range.
    """

    migration_id = DatetimeConversion.migration_id
    description = DatetimeConversion.title

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
        options = MigrationOptions(
            failure_mode=failure_mode_of(failure_mode), batch_size=batch_size, max_errors=max_errors
        )
        if progress_save_interval is not None:
            require_within("progress_save_interval", progress_save_interval)
        self.failure_mode = options.failure_mode
        self.batch_size = batch_size
        self.max_errors = max_errors
        self.enable_resume = enable_resume
        self.progress_save_interval = progress_save_interval
        self._client_is_given = redis_client is not None
        self._result: RunResult | None = None
        self._errors: list[Failure] = []

    def up(self) -> None:
        """Convert every date of the models, and cut over the indexes. Queries work all the time.

        Raises:
            ConfigurationError: no models are imported, or they cannot be migrated together.
            DataMigrationError: the run stopped (`max_errors`, failure mode `fail`), or a cutover was refused because
                documents would be missing from the new index.
            LeaseHeldError: another run is in progress.
            MigrationError, ServerError: any other reason; see `redstart.errors`.

        Effects: those of `om migrate-data run`. Safe to repeat, also after an interruption.
        """
        if is_skipped("DatetimeFieldMigration().up()"):
            return
        self._require_one_server()
        found = self._migration.run(
            failure_mode=self.failure_mode,
            batch_size=min(self.batch_size, self.progress_save_interval or self.batch_size),
            max_errors=self.max_errors,
            resume=self.enable_resume,
        )
        self._result = found.data
        self._errors = found.failures.first[:MAX_ERRORS_SHOWN]
        if found.data is not None and found.data.unmatched:
            logger.warning("%s", unmatched_message(found.data.unmatched))
        found.raise_for_outcome("up()")

    def down(self) -> None:
        """Undo all runs since the last rollback: restore the original bytes of each value that has not changed since.

        Does not require models. Does nothing if nothing was converted.

        Raises:
            DataMigrationError: the rollback was refused because documents would drop out of query results; or it is
                complete, but some values have no text format or could not be restored (`om migrate-data errors`).
            LeaseHeldError: another run is in progress.
            MigrationError, ServerError: any other reason; see `redstart.errors`.

        Effects: those of `om migrate-data rollback`. Safe to repeat, also after an interruption.
        """
        if is_skipped("DatetimeFieldMigration().down()"):
            return
        found = self._migration.rollback(batch_size=self.batch_size)
        found.raise_for_outcome("down()")

    def can_run(self) -> bool:
        """Return whether the server replies. Other obstacles are reported by `up`."""
        try:
            _ = server_of_client(self.redis).run(call(server_time()))
        except ServerError:
            return False
        return True

    def get_migration_stats(self) -> dict[str, Any]:
        """Return statistics of the last `up` of this object; all zeros before it.

        Returns:
            `processed_keys`, `converted_fields`, `skipped_fields` (already numeric, or null), `failed_conversions` and
            `error_count` (recorded failures), `success_rate` (in percent), `recent_errors` (at most ten recorded
            failures: `key`, `field`, `value`, `error`); and `failure_mode`, `batch_size`, `max_errors` as given.
        """
        return statistics(self._result, self._errors) | {
            "failure_mode": self.failure_mode.value,
            "batch_size": self.batch_size,
            "max_errors": self.max_errors,
        }

    @property
    def _migration(self) -> DateMigration:
        return DateMigration(client=self.redis)

    def _require_one_server(self) -> None:
        """Raise ConfigurationError if a model has its documents on a server other than the default one."""
        here = server_of_client(self.redis).where
        for model in () if self._client_is_given else registered_models():
            there = server_of_client(client_of(model)).where
            if there != here:
                raise ConfigurationError(
                    f"The documents of {model_name(model)} are on {there}, but REDIS_OM_URL is {here}.",
                    f"Pass the client of the server: {type(self).__name__}({model.__name__}.db())",
                )


def statistics(result: RunResult | None, errors: Sequence[Failure]) -> dict[str, Any]:
    """Return the counts of a run under the names of redis-om.

    Args:
        result: None if no document was changed.
        errors: some of the recorded failures.
    """
    converted = 0 if result is None else result.converted
    failed = 0 if result is None else result.errors
    return {
        "processed_keys": 0 if result is None else result.documents,
        "converted_fields": converted,
        "skipped_fields": 0 if result is None else result.already_converted + result.null,
        "failed_conversions": failed,
        "error_count": failed,
        "success_rate": converted / max(1, converted + failed) * 100,
        "recent_errors": [
            {"key": one.key, "field": one.path, "value": one.value, "error": one.reason} for one in errors
        ],
    }


class DatetimeFieldDetector:
    """Detect indexes with dates as text whose models require numbers.

    Args:
        redis: a client of the server.
    """

    def __init__(self, redis: "redis.Redis") -> None:
        self.redis = redis

    def check_for_schema_mismatches(self, models: Iterable[type[RedisModel]]) -> dict[str, Any]:
        """Compare the active indexes with models. Writes nothing.

        Args:
            models: the model classes.

        Returns:
            `has_mismatches`; `mismatches`: for each date that is indexed with another type, `model`, `field`,
            `current_type`, `expected_type` and `index_name`; `total_affected_models`; and `recommendation`,
            with the next command. A missing index is not a mismatch; `om migrate-data check-schema` reports it.

        Raises:
            RedisModelError: a model has no documents of its own.
            UnsupportedServerError: the server has no search module.
            ServerError: the server did not reply, or rejected a command.

        Effects: a few reads, and one read for each index.
        """
        declarations = distinct(map(declare, models))
        return server_of_client(self.redis).run(schema_mismatches(declarations, _OF_ANY_ZONE))
