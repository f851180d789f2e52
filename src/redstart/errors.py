"""Every error Redstart raises on purpose.

RedstartError
 ├── ConfigurationError          wrong settings or models; nothing was sent
 ├── ServerError                 the server or the connection failed
 │    ├── ServerConnectionError       no reply; the request may or may not have been executed
 │    ├── AuthenticationError   wrong credentials, or the ACL forbids the command
 │    ├── CommandError          the server answered a command with an error
 │    ├── IndexNotFoundError           the index that a query needs does not exist
 │    │    └── IndexOutdatedError      it lacks a field that the query needs
 │    └── UnsupportedServerError      the server lacks a module or command
 │         ├── SearchDatabaseError      only database 0 can have indexes
 │         └── FieldExpiryNotSupportedError fields of hashes cannot expire there
 ├── EmbeddedServerError         the scratch server cannot be found, started or stopped
 ├── ValueConversionError        a value cannot be converted to the type of its field
 ├── RedisModelError             a model is declared in a way that cannot work
 ├── DocumentError               a document cannot be read or stored
 │    ├── NotFoundError          it does not exist
 │    ├── PipelineError          a pipeline returned another number of replies than documents
 │    └── WrongKeyTypeError           its key holds a value of another type
 ├── QueryError                  a query was refused; nothing was sent
 │    ├── QuerySyntaxError       it is invalid
 │    └── QueryNotSupportedError it is valid, but the index cannot answer it
 └── MigrationError              a migration was refused or failed
      ├── UnknownMigrationError       no migration has this id
      ├── FileMigrationNotSupportedError the migration is in a file of the project, and this version does not run it
      ├── DataMigrationError     a data migration file cannot be read or ordered; or up() did not finish
      ├── SchemaMigrationError   a schema migration file cannot be read or ordered
      ├── PlanChangedError            the models differ from those the run began with
      ├── UnsafeServerError           the server could lose what an undo needs
      ├── StateDamagedError           a key that Redstart keeps on the server is missing, damaged or not its own
      │    ├── StateVersionError it was written by a newer version
      │    ├── CheckpointCorruptError saved progress is damaged, or not Redstart's
      │    ├── CheckpointVersionError saved progress is of another version or another run
      │    └── UndoLogCorruptError    the undo log has lost entries
      ├── RollbackInProgressError     an interrupted rollback has to be finished first
      ├── LeaseHeldError              another run is at work
      └── LeaseLostError              another run has taken over

Two more DocumentErrors are defined elsewhere, because they need models: DocumentDecodeError in
redstart.documents.unreadable and DocumentEncodeError in redstart.documents.unwritable.

Two warnings: NaiveTimezoneWarning and OverlappingPrefixesWarning.

Each has a `message` (what failed, where, the value) and a `hint` (what to do next, or None).
"""

from typing import Any


def shortened(value: object) -> str:
    """A value as text for a message, 80 characters at most."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


class RedstartError(Exception):
    """Root of the tree. `str()` gives the message, followed by the hint, if any, on a second line."""

    def __init__(
        self, message: str = "", hint: str | None = None
    ) -> None:  # programs raise some without a message
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n{self.hint}"

    def __reduce__(self) -> tuple[Any, ...]:
        # For pickle, which would call the class with `args`; most classes take other arguments.
        return _restored, (type(self), self.args), self.__dict__


def _restored(kind: type[RedstartError], args: tuple[Any, ...]) -> RedstartError:
    return kind.__new__(kind, *args)


class ConfigurationError(RedstartError):
    """A setting, option or set of models that cannot work. Nothing was sent to the server."""


class NaiveTimezoneWarning(UserWarning):
    """Datetimes without an offset are taken for UTC, unasked, in a process whose local time is another."""

    def __init__(self, local: str) -> None:
        super().__init__(
            f"A datetime without an offset is taken for UTC, and the local time of this process is not UTC ({local}). "
            "redis-om 1.x takes it for local time. Set REDSTART_NAIVE_TIMEZONE=local to do the same, or =UTC if UTC "
            "is meant (naive_timezone under [tool.redstart] in pyproject.toml); or give datetimes an offset."
        )


class OverlappingPrefixesWarning(UserWarning):
    """The key prefix of one model is the beginning of another's, so queries of the one find the other's documents."""

    def __init__(self, outer: str, outer_prefix: str, inner: str, inner_prefix: str) -> None:
        super().__init__(
            f"Queries of {outer} also find documents of {inner}: the keys of {outer} begin with {outer_prefix!r}, and "
            f"those of {inner} with {inner_prefix!r}. Give one of the models another Meta.model_key_prefix; stored "
            "documents keep their keys."
        )


class ServerError(RedstartError):
    """The server, or the connection to it, failed."""


class ServerConnectionError(ServerError):
    """No reply came. The request may or may not have been executed."""


class AuthenticationError(ServerError):
    """The server refused the credentials, or the user lacks a permission."""


class CommandError(ServerError):
    """The server replied with an error. `code` is its first word, for example `WRONGTYPE`, `OOM` or `NOSCRIPT`."""

    def __init__(self, text: str, hint: str | None = None, *, code: str | None = None) -> None:
        super().__init__(text, hint)
        self.code = code or text.partition(" ")[0]


class IndexNotFoundError(ServerError):
    """The index that a query needs does not exist. `index` is its name, `module` that of the model, or None."""

    def __init__(self, index: str, module: str | None = None) -> None:
        super().__init__(
            f"There is no index {index!r} on the server.", f"Create it with: {_command_for_index(module)}"
        )
        self.index = index
        self.module = module


def _command_for_index(module: str | None) -> str:
    if module == "__main__":  # no command can import it
        return "Migrator().run()"
    return "om migrate run" if module is None else f"om migrate run --models {module}"


class IndexOutdatedError(IndexNotFoundError):
    """The index that a query needs lacks one of its fields, or has it with another type. `field` is the field."""

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
        lacks = f"has no field for {field}" if found is None else f"has {field} as {found}, not as {wanted}"
        self.message = f"The index {index!r} on the server is not that of the model: it {lacks}."
        self.hint = f"Bring it up to date with: {_command_for_index(module)}"
        if is_text_date:
            self.hint = "Convert the dates, and then the index, with: om migrate-data run"
        self.args = (self.message,)
        self.field = field


class UnsupportedServerError(ServerError):
    """The server lacks a module or command that is needed."""


class SearchDatabaseError(UnsupportedServerError):
    """Only database 0 can have indexes, so queries find only the documents in it."""

    def __init__(self, database: int) -> None:
        super().__init__(
            f"Indexes can only be in database 0, and this is database {database}.",
            "Give the URL of database 0, as redis://host:6379/0",
        )


class FieldExpiryNotSupportedError(UnsupportedServerError, NotImplementedError):
    """The server cannot let fields of hashes expire."""

    def __init__(self, said: str) -> None:
        super().__init__(
            f"The server cannot let fields of hashes expire: {said}",
            "That needs Redis 7.4 or Valkey 9. `om server` starts a server that can.",
        )


class EmbeddedServerError(RedstartError):
    """The scratch server cannot be found, started or stopped."""


class ValueConversionError(RedstartError):
    """A value cannot be converted to or from its stored form. `reason` is a short phrase for reports."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RedisModelError(RedstartError):
    """A model class is declared in a way that cannot be stored."""


class DocumentError(RedstartError):
    """A document cannot be read or stored."""


class NotFoundError(DocumentError):
    """There is no such document."""


class PipelineError(DocumentError):
    """A pipeline returned another number of replies than it was given documents."""


class WrongKeyTypeError(DocumentError):
    """The key of a document holds a value of another type. `key` is that key."""

    def __init__(self, key: str, expected: str) -> None:
        super().__init__(
            f"The key {key} holds no {expected}, so it is not a document of this model.",
            f"See what it is with: redis-cli TYPE '{key}'",
        )
        self.key = key


class QueryError(RedstartError):
    """A query was refused before anything was sent.

    `field` is the field, as `Model.name`, and `value` what it was compared with; both may be None. `code` is the
    number of this error in redis-om (`E1` to `E11`), or None if redis-om has no such error.
    """

    def __init__(
        self,
        message: str = "",
        hint: str | None = None,
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
    """A query is invalid: for example, it has a wrong operator or operand."""


class QueryNotSupportedError(QueryError):
    """A query is valid, but the index cannot answer it."""


class MigrationError(RedstartError):
    """A migration was refused before it wrote anything, or failed."""


class UnknownMigrationError(MigrationError):
    """No migration has this id."""

    def __init__(self, migration_id: str) -> None:
        super().__init__(
            f"There is no data migration {shortened(migration_id)}.",
            "See them all with: om migrate-data status",
        )


class FileMigrationNotSupportedError(MigrationError):
    """A migration is declared in a file of the project: this version lists it, and does nothing else with it.

    `state` says how it stands, `source` is its file, if there is one; `reason` and `hint` answer what was asked for.
    """

    def __init__(self, migration_id: str, state: str, source: str | None, reason: str, hint: str) -> None:
        where = "no file declares it" if source is None else f"it is declared in {source}"
        super().__init__(f"The data migration {shortened(migration_id)} {state}; {where}. {reason}", hint)


class DataMigrationError(MigrationError):
    """A data migration file of the project cannot be read or ordered; or `DatetimeFieldMigration` did not do it all."""


class SchemaMigrationError(MigrationError):
    """A schema migration file of the project cannot be read or ordered."""


class PlanChangedError(MigrationError):
    """The models have changed since the run began, so they need another conversion."""


class UnsafeServerError(MigrationError):
    """The server is configured so that it could lose the data that an undo needs."""


class StateDamagedError(MigrationError):
    """A key that Redstart keeps on the server is missing, damaged, or was written by another program."""


class StateVersionError(StateDamagedError):
    """A key that Redstart keeps on the server was written by a newer version."""


class CheckpointCorruptError(StateDamagedError):
    """Saved progress cannot be read, or is missing."""


class CheckpointVersionError(StateDamagedError):
    """Saved progress is from another version of Redstart, or from another run."""


class UndoLogCorruptError(StateDamagedError):
    """The undo log holds fewer entries than were written to it, or one that cannot be read."""


class RollbackInProgressError(MigrationError):
    """A rollback was interrupted. Until it is finished, nothing else may write."""


class LeaseHeldError(MigrationError):
    """Another run holds the lease and keeps renewing it."""


class LeaseLostError(MigrationError):
    """Another run has taken the lease. This one stopped before its next write."""
