"""The data migration of dates: the service of data migrations with the datetime conversion."""

from collections.abc import Callable, Iterable

from redstart.mapping.model_info import ModelDeclaration
from redstart.migrations.context import Context, Monitor
from redstart.migrations.data.datetime_conversion import DatetimeConversion
from redstart.migrations.data_migration import DataMigration
from redstart.migrations.lease_state import Holder
from redstart.values.timezones import NaiveTimezone


class DateMigration(DataMigration):
    """The conversion of the dates of some models from text format to numeric format, and its rollback."""

    __slots__ = ()

    @classmethod
    def for_dates(
        cls,
        declarations: Iterable[ModelDeclaration],
        naive_timezone: NaiveTimezone,
        *,
        holder: Holder,
        token: str,
        clock: Callable[[], float],
        monitor: Monitor,
        exclude_prefixes: Iterable[str] = (),
        exclusions_are_settings: bool = False,
        assigns_keys: bool = True,
    ) -> "DateMigration":
        """Return the migration of the dates of some models.

        Args:
            naive_timezone: the zone of datetimes without an offset, in which the models read them, too.
            holder, token, clock, monitor: see Context.
            exclude_prefixes, exclusions_are_settings, assigns_keys: see `DataMigration.for_models`.

        Raises:
            ConfigurationError: key prefixes overlap.
        """
        return cls.for_models(
            declarations,
            context=Context(DatetimeConversion(naive_timezone), holder, token, clock, monitor),
            naive_timezone=naive_timezone,
            exclude_prefixes=exclude_prefixes,
            exclusions_are_settings=exclusions_are_settings,
            assigns_keys=assigns_keys,
        )
