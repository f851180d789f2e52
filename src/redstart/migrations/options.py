"""Options of a data migration: the command line and programs build the same ones."""

from dataclasses import dataclass

from redstart.display import shortened
from redstart.errors import ConfigurationError
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.results import RunOptions
from redstart.migrations.indexes.expand import ExpansionOptions

MAX_BATCH_SIZE = 100_000


@dataclass(frozen=True, slots=True)
class MigrationOptions:
    """Options of a run and of its dry run.

    Attributes:
        failure_mode: how to handle values that cannot be converted.
        batch_size: keys scanned per batch, 1 to 100,000.
        max_errors: stop after this many failed values; None for no limit.
        limit_documents: stop when this many documents are changed; None for no limit.
        accept_unindexed: cut over even if documents drop out of query results.
        keep_old_index: keep a copy of an index whose name becomes an alias.
        aliases: other aliases of the indexes, which follow the cutover.
        include_prefixes: longer key prefixes whose keys are documents of the models.
        expand: False to fail if an index is not ready, instead of preparing it.
        resume: False to start an interrupted run again from the beginning.

    Raises:
        ConfigurationError: a value is out of range.
    """

    failure_mode: FailureMode = FailureMode.LOG_AND_SKIP
    batch_size: int = 1_000
    max_errors: int | None = None
    limit_documents: int | None = None
    accept_unindexed: bool = False
    keep_old_index: bool = False
    aliases: tuple[str, ...] = ()
    include_prefixes: tuple[str, ...] = ()
    expand: bool = True
    resume: bool = True

    def __post_init__(self) -> None:
        require_within("batch_size", self.batch_size, MAX_BATCH_SIZE)
        for name, limit in (("max_errors", self.max_errors), ("limit_documents", self.limit_documents)):
            if limit is not None:
                require_within(name, limit)

    @property
    def for_data(self) -> RunOptions:
        """The part for the documents."""
        return RunOptions(
            self.failure_mode,
            self.batch_size,
            self.max_errors,
            self.limit_documents,
            resume=self.resume,
        )

    @property
    def for_indexes(self) -> ExpansionOptions:
        """The part for the indexes."""
        return ExpansionOptions(
            accept_unindexed=self.accept_unindexed,
            keep_old_index=self.keep_old_index,
            aliases=self.aliases,
        )


@dataclass(frozen=True, slots=True)
class RollbackOptions:
    """Options of a rollback and of its preview.

    Attributes:
        reformat_preexisting: also rewrite numbers that existed before the run as text.
        batch_size: keys scanned per batch, 1 to 100,000.
        include_prefixes: longer key prefixes whose keys are documents of the models of the runs.
        accept_unindexed: roll back even if indexes of no model lose documents.

    Raises:
        ConfigurationError: a value is out of range.
    """

    reformat_preexisting: bool = False
    batch_size: int = 1_000
    include_prefixes: tuple[str, ...] = ()
    accept_unindexed: bool = False

    def __post_init__(self) -> None:
        require_within("batch_size", self.batch_size, MAX_BATCH_SIZE)


def failure_mode_of(value: FailureMode | str) -> FailureMode:
    """Return a failure mode by its name. Raises ConfigurationError."""
    try:
        return FailureMode(value)
    except ValueError as exc:
        known = ", ".join(mode.value for mode in FailureMode)
        raise ConfigurationError(f"Unknown failure mode {shortened(value)}.", f"Use one of: {known}") from exc


def require_within(name: str, number: int, limit: int | None = None) -> None:
    """Raise ConfigurationError if a number is less than 1, or above the limit."""
    if number < 1 or (limit is not None and number > limit):
        limits = "1 or more" if limit is None else f"from 1 to {limit:,}"
        raise ConfigurationError(f"{name} has to be {limits}, not {number}.")
