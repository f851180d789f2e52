"""Every error that Redstart raises.

    RedstartError
     ├── ConfigurationError                 invalid settings or options; nothing was sent
     ├── ServerError                        the server or the connection failed
     │    ├── ServerConnectionError         no reply; the request may or may not have been executed
     │    ├── AuthenticationError           wrong credentials, or the ACL forbids the command
     │    ├── CommandError                  the server replied with an error
     │    ├── IndexNotFoundError            the index of a query does not exist
     │    │    └── IndexOutdatedError       the index lacks a field of the query
     │    └── UnsupportedServerError        the server lacks a module or a command
     │         ├── SearchDatabaseError      indexes exist in database 0 only
     │         └── FieldExpiryNotSupportedError
     ├── EmbeddedServerError                the development server cannot be found, started or stopped
     ├── ValueConversionError               a value cannot be converted to the type of its field
     │    └── NotConvertibleError           an operation of a migration cannot change a stored value
     ├── RedisModelError                    a model class is invalid
     ├── DocumentError                      a document cannot be read or stored
     │    ├── NotFoundError                 the document does not exist
     │    ├── DocumentDecodeError           the stored document does not fit its model
     │    ├── DocumentEncodeError           a value of the document cannot be stored; nothing was sent
     │    ├── PipelineError                 a pipeline returned another number of replies than documents
     │    └── WrongKeyTypeError             the key holds a value of another type
     ├── QueryError                         a query was rejected; nothing was sent
     │    ├── QuerySyntaxError              the query is invalid
     │    └── QueryNotSupportedError        the query is valid, but the index cannot answer it
     └── MigrationError                     a migration was refused or failed
          ├── UnknownMigrationError         no migration has this id
          ├── DataMigrationError            a data migration file is invalid, or a run did not finish
          ├── SchemaMigrationError          a schema migration file is invalid
          ├── MigrationStateError           an operation does not fit the models before it
          ├── MigrationFileError            a migration file is invalid, or does not fit the others
          ├── UnsupportedOperationError     this version does not run an operation of a migration file
          ├── PlanChangedError              the models differ from those of the unfinished run
          ├── UnsafeServerError             the server could lose the undo log
          ├── StateDamagedError             a state key on the server is missing, damaged or foreign
          │    ├── StateVersionError        a state key was written by a newer version
          │    ├── CheckpointCorruptError   the checkpoint cannot be read
          │    ├── CheckpointVersionError   the checkpoint is of another version or another run
          │    └── UndoLogCorruptError      the undo log has lost entries
          ├── RollbackInProgressError       an interrupted rollback has to be finished first
          ├── LeaseHeldError                another run is in progress
          └── LeaseLostError                this run has lost its lease

Warnings: NaiveTimezoneWarning and OverlappingPrefixesWarning.

Each error has a `message` (what happened, to what, with which value) and a `hint` (the next step, or None).
"""

from collections.abc import Mapping
from typing import Any

from redstart.display import shortened
from redstart.next_steps import Command, Hint


class RedstartError(Exception):
    """Root of the tree. `str()` returns the message, followed by the hint, if any, on a second line.

    Attributes:
        message: what happened, to what, with which value.
        next_step: the hint with its commands as objects; None if there is none.
    """

    # Applications raise some of these errors without a message.
    def __init__(self, message: str = "", hint: str | Hint | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = Hint(hint) if isinstance(hint, str) else hint

    @property
    def hint(self) -> str | None:
        """The next step; None if there is none."""
        return None if self.next_step is None else str(self.next_step)

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n{self.hint}"

    def __reduce__(self) -> tuple[Any, ...]:
        # For pickle, which would call the class with `args`; most classes take other arguments.
        return _restored, (type(self), self.args), self.__dict__


def _restored(kind: type[RedstartError], args: tuple[Any, ...]) -> RedstartError:
    return kind.__new__(kind, *args)


class ConfigurationError(RedstartError):
    """A setting, an option or a set of models is invalid. Nothing was sent to the server."""


class NaiveTimezoneWarning(UserWarning):
    """Naive datetimes are interpreted as UTC by default, and the local time of the process is not UTC."""

    def __init__(self, local: str) -> None:
        super().__init__(
            f"Naive datetimes are interpreted as UTC, but the local time of this process is not UTC ({local}). "
            "redis-om 1.x stores local time. Set REDSTART_NAIVE_TIMEZONE (or naive_timezone under [tool.redstart] in "
            "pyproject.toml) to `local` for the same, or to `UTC` to silence this warning; or use aware datetimes."
        )


class OverlappingPrefixesWarning(UserWarning):
    """The key prefix of one model begins with that of another, whose queries return documents of both."""

    def __init__(self, outer: str, outer_prefix: str, inner: str, inner_prefix: str) -> None:
        super().__init__(
            f"Queries of {outer} also return documents of {inner}: the key prefix {outer_prefix!r} of {outer} matches "
            f"keys under {inner_prefix!r}. Give one of the models another Meta.model_key_prefix. Stored documents keep "
            "their keys."
        )


class ServerError(RedstartError):
    """The server or the connection failed."""


class ServerConnectionError(ServerError):
    """The server did not reply. The request may or may not have been executed."""


class AuthenticationError(ServerError):
    """The server rejected the credentials, or the ACL of the user forbids the command."""


class CommandError(ServerError):
    """The server replied with an error.

    Attributes:
        code: the first word of the error, for example `WRONGTYPE`, `OOM` or `NOSCRIPT`.
    """

    def __init__(self, text: str, hint: str | Hint | None = None, *, code: str | None = None) -> None:
        super().__init__(text, hint)
        self.code = code or text.partition(" ")[0]


class IndexNotFoundError(ServerError):
    """The index of a query does not exist.

    Attributes:
        index: the name of the index.
        module: the module of the model; None if not known.
    """

    def __init__(self, index: str, module: str | None = None) -> None:
        super().__init__(
            f"The index {index!r} does not exist on the server.",
            Hint("Create it with: ", _way_to_index(module)),
        )
        self.index = index
        self.module = module


def _way_to_index(module: str | None) -> str | Command:
    if module == "__main__":  # no command can import it
        return "Migrator().run()"
    return Command("migrate run") if module is None else Command("migrate run", "--models", module)


class IndexOutdatedError(IndexNotFoundError):
    """The index of a query lacks a field, or has it with another type.

    Attributes:
        field: the field, as `Model.name`.
    """

    def __init__(
        self,
        index: str,
        module: str | None,
        field: str,
        wanted: str,
        found: str | None,
        *,
        is_text_date: bool,
    ) -> None:
        super().__init__(index, module)
        actual = (
            f"has no field for {field}" if found is None else f"indexes {field} as {found}, not as {wanted}"
        )
        self.message = f"The index {index!r} is outdated: it {actual}."
        self.next_step = Hint("Update it with: ", _way_to_index(module))
        if is_text_date:
            self.next_step = Hint("Convert the dates and the index with: ", Command("migrate-data run"))
        self.args = (self.message,)
        self.field = field


class UnsupportedServerError(ServerError):
    """The server lacks a module or a command."""


class SearchDatabaseError(UnsupportedServerError):
    """The server has indexes in database 0 only."""

    def __init__(self, database: int) -> None:
        super().__init__(
            f"Database {database} cannot have indexes; only database 0 can.",
            "Use a URL with database 0, for example redis://host:6379/0",
        )


class FieldExpiryNotSupportedError(UnsupportedServerError, NotImplementedError):
    """The server does not support the expiry of hash fields."""

    def __init__(self, server_error: str) -> None:
        super().__init__(
            f"The server does not support the expiry of hash fields: {server_error}",
            Hint("Use Redis 7.4 or Valkey 9, or later. For development: ", Command("server")),
        )


class EmbeddedServerError(RedstartError):
    """The development server cannot be found, started or stopped."""


class ValueConversionError(RedstartError):
    """A value cannot be converted to or from its stored format.

    Attributes:
        reason: a short phrase for reports.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotConvertibleError(ValueConversionError):
    """An operation of a migration cannot change a stored value. The document stays as it is.

    Attributes:
        path: the location of the value in its document.
        value: the stored value, shortened.
        reason: a short phrase for reports.
    """

    def __init__(self, path: str, value: str, reason: str) -> None:
        super().__init__(reason)
        self.path = path
        self.value = value
        self.message = f"{path}: {reason}: {value}" if value else f"{path}: {reason}"
        self.args = (self.message,)


class RedisModelError(RedstartError):
    """A model class is invalid."""


class DocumentError(RedstartError):
    """A document cannot be read or stored."""


class NotFoundError(DocumentError):
    """The document does not exist."""


class DocumentDecodeError(DocumentError):
    """A stored document does not fit its model.

    Attributes:
        key: the key of the document.
        primary_key: its primary key, as `Model.delete` takes it.
        field: the path of the first value that does not fit; empty for the document as a whole, or if not known.
        reason: why it does not fit.
        reasons: the reasons for each field that does not fit, by path.
    """

    def __init__(
        self,
        model: str,
        key: str,
        primary_key: str,
        field: str,
        value: object,
        reason: str,
        *,
        reasons: Mapping[str, str] | None = None,
        is_missing: bool = False,
        hint: str | Hint | None = None,
    ) -> None:
        self.key = key
        self.primary_key = primary_key
        self.field = field
        self.reasons = reasons or {field: reason}
        self.reason = reason
        # Of a missing field the value would be the whole document around it.
        actual = "is missing" if is_missing else f"has the invalid value {shortened(value)}"
        super().__init__(
            f"{model} {key}: {field or 'the document'} {actual}: {reason}.",
            "Give the field a default if documents may lack it." if is_missing else hint,
        )


class DocumentEncodeError(DocumentError):
    """A value of a document cannot be stored. Nothing was sent.

    Attributes:
        key: the key of the document.
        field: the path of the value.
        reason: why it cannot be stored.
    """

    def __init__(self, model: str, key: str, field: str, reason: str) -> None:
        self.key = key
        self.field = field
        self.reason = reason
        super().__init__(f"{model} {key}: {field} cannot be stored: {reason}.")


class PipelineError(DocumentError):
    """A pipeline returned another number of replies than documents."""


class WrongKeyTypeError(DocumentError):
    """The key of a document holds a value of another type.

    Attributes:
        key: the key.
    """

    def __init__(self, key: str, expected: str) -> None:
        super().__init__(
            f"The key {key} is not of type {expected}.",
            f"Check its type with: redis-cli TYPE '{key}'",
        )
        self.key = key


class QueryError(RedstartError):
    """A query was rejected. Nothing was sent.

    Attributes:
        field: the field, as `Model.name`; None if the error is not about one field.
        value: the operand; None if the error is not about one.
        code: the number of this error in redis-om (`E1` to `E11`); None if redis-om has no such error.
    """

    def __init__(
        self,
        message: str = "",
        hint: str | Hint | None = None,
        *,
        field: str | None = None,
        value: object = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message, hint)
        self.field = field
        self.value = value
        self.code = code


class QuerySyntaxError(QueryError):
    """A query is invalid: for example, an operator or an operand is wrong."""


class QueryNotSupportedError(QueryError):
    """A query is valid, but the index cannot answer it."""


class MigrationError(RedstartError):
    """A migration was refused before it wrote anything, or failed."""


class UnknownMigrationError(MigrationError):
    """No migration has this id.

    Args:
        meant: the command with the id that was probably meant, or the id; None if no id is near.
        noun: what does not exist.
        listed_by: the command that lists all.
    """

    def __init__(
        self,
        migration_id: str,
        meant: Command | str | None = None,
        *,
        noun: str = "data migration",
        listed_by: Command = Command("migrate-data status"),  # noqa: B008 - immutable
    ) -> None:
        listing = Hint("List all with: ", listed_by)
        super().__init__(
            f"The {noun} {shortened(migration_id)} does not exist.",
            listing if meant is None else Hint("Did you mean: ", meant, "\n", listing),
        )


class DataMigrationError(MigrationError):
    """A data migration file of the project is invalid or failed, or `DatetimeFieldMigration` did not finish."""


class SchemaMigrationError(MigrationError):
    """A schema migration file of the project is invalid or failed."""


class MigrationStateError(MigrationError):
    """An operation of a migration file does not fit the models before it, or is invalid in itself."""


class MigrationFileError(MigrationError):
    """A migration file of the project is invalid, was edited after it was applied, or does not fit the others."""


class UnsupportedOperationError(MigrationError):
    """This version of Redstart does not run an operation of a migration file."""


class PlanChangedError(MigrationError):
    """The models have changed since the unfinished run was started."""


class UnsafeServerError(MigrationError):
    """The server could lose the undo log, because of its configuration or a restart."""


class StateDamagedError(MigrationError):
    """A state key on the server is missing, damaged, or was written by another program."""


class StateVersionError(StateDamagedError):
    """A state key on the server was written by a newer version."""


class CheckpointCorruptError(StateDamagedError):
    """The checkpoint cannot be read, or is missing."""


class CheckpointVersionError(StateDamagedError):
    """The checkpoint is of another version of Redstart, or of another run."""


class UndoLogCorruptError(StateDamagedError):
    """The undo log has lost entries, or an entry cannot be read."""


class RollbackInProgressError(MigrationError):
    """A rollback was interrupted. Finish it before any other migration command."""


class LeaseHeldError(MigrationError):
    """Another run holds the lease and keeps renewing it."""


class LeaseLostError(MigrationError):
    """This run has lost its lease. It stopped before its next write."""
