"""Options of a data migration: the command line and programs build the same ones."""

from collections.abc import Iterable
from dataclasses import dataclass

from redstart.display import shortened
from redstart.errors import ConfigurationError
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.results import RunOptions
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.next_steps import Command

DEFAULT_BATCH_SIZE = 1_000
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
    batch_size: int = DEFAULT_BATCH_SIZE
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

    def command(self, exclude_prefixes: Iterable[str] = ()) -> Command:
        """Return the command of `om` that runs with these options, except `resume`."""
        return Command(
            "migrate-data run",
            *_typed("--failure-mode", self.failure_mode, FailureMode.LOG_AND_SKIP),
            *_typed("--batch-size", self.batch_size, DEFAULT_BATCH_SIZE),
            *_typed("--max-errors", self.max_errors),
            *_typed("--limit-documents", self.limit_documents),
            *(["--no-expand"] if not self.expand else []),
            *(["--accept-unindexed"] if self.accept_unindexed else []),
            *(["--keep-old-index"] if self.keep_old_index else []),
            *_repeated("--alias", self.aliases),
            *_repeated("--exclude-prefix", exclude_prefixes),
            *_repeated("--include-prefix", self.include_prefixes),
        )

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
    batch_size: int = DEFAULT_BATCH_SIZE
    include_prefixes: tuple[str, ...] = ()
    accept_unindexed: bool = False

    def __post_init__(self) -> None:
        require_within("batch_size", self.batch_size, MAX_BATCH_SIZE)

    def command(self, migration_id: str, exclude_prefixes: Iterable[str] = ()) -> Command:
        """Return the command of `om` that rolls back a migration with these options."""
        return Command(
            "migrate-data rollback",
            migration_id,
            *(["--reformat-preexisting"] if self.reformat_preexisting else []),
            *(["--accept-unindexed"] if self.accept_unindexed else []),
            *_typed("--batch-size", self.batch_size, DEFAULT_BATCH_SIZE),
            *_repeated("--exclude-prefix", exclude_prefixes),
            *_repeated("--include-prefix", self.include_prefixes),
        )


def _typed(name: str, value: object, default: object = None) -> tuple[str, ...]:
    """Return an option and its value as words; none for the default."""
    return () if value == default else (name, str(value))


def _repeated(name: str, values: Iterable[str]) -> Iterable[str]:
    """Return an option once for each value, as words."""
    return (word for value in values for word in (name, value))


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
