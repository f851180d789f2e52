"""Every error Redstart raises on purpose.

RedstartError
 ├── ConfigurationError          wrong settings or models; nothing was sent
 ├── ServerError                 the server, or the way to it
 │    ├── ConnectionFailed       no answer; a request may or may not have been executed
 │    ├── AuthenticationFailed   the password or the ACL says no
 │    ├── CommandFailed          the server answered a command with an error
 │    ├── IndexMissing           the index that a query needs is not there
 │    └── CapabilityMissing      a module or command that is needed is not there
 │         ├── OtherDatabase      indexes are in database 0 alone
 │         └── FieldExpiryMissing that which lets fields of hashes expire
 ├── EmbeddedServerError         the scratch server cannot be found, started or stopped
 ├── ValueConversionError        one value cannot be read as what its field says
 ├── RedisModelError             a model is declared wrongly
 ├── DocumentError               a document cannot be read or stored
 │    ├── NotFoundError          there is none
 │    └── WrongKeyType           its key holds something else
 ├── QueryError                  a query was refused; nothing was sent
 │    ├── QuerySyntaxError       it says something that has no meaning
 │    └── QueryNotSupportedError it has a meaning that an index cannot answer
 └── MigrationError              a migration refused or failed
      ├── UnknownMigration       no migration has this id
      ├── DataMigrationError     a data migration of a project's own cannot be read or ordered; up() is not done
      ├── SchemaMigrationError   the same of a schema migration
      ├── PlanChanged            the models differ from those the run began with
      ├── UnsafeServer           the server could lose what an undo needs
      ├── CheckpointUnreadable   saved progress that is not ours or is damaged
      ├── CheckpointIncompatible saved progress of another version
      ├── JournalDamaged         the undo log has lost entries
      ├── RollbackUnfinished     a rollback began and has to end first
      ├── LeaseHeld              another run is at work
      └── LeaseLost              another run took over from this one

Two DocumentErrors more stand beside the models they are made of: UnreadableDocument in redstart.documents.unreadable
and UnwritableDocument in redstart.documents.unwritable.

One warning: NaiveTimezoneWarning.

Each carries `message` (what failed, where, the value) and `hint` (the next command to type, or None).
"""


def shortened(value: object) -> str:
    """A value as text for a message, 80 characters at most."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


class RedstartError(Exception):
    """Root of the tree. `str()` is the message, and on a second line the hint if there is one."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n{self.hint}"


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


class ServerError(RedstartError):
    """The server, or the connection to it, failed."""


class ConnectionFailed(ServerError):
    """No answer came. The request may have been executed or not."""


class AuthenticationFailed(ServerError):
    """The server refused the credentials, or they may not do this."""


class CommandFailed(ServerError):
    """The server answered with an error; `code` is its first word, as `WRONGTYPE`, `OOM` or `NOSCRIPT`."""

    def __init__(self, text: str, hint: str | None = None, *, code: str | None = None) -> None:
        super().__init__(text, hint)
        self.code = code or text.partition(" ")[0]


class IndexMissing(ServerError):
    """The index that a query needs is not there: `index` by name, of a model in `module`, where that is known."""

    def __init__(self, index: str, module: str | None = None) -> None:
        command = "om migrate run" if module is None else f"om migrate run --models {module}"
        if module == "__main__":  # no command can import it
            command = "Migrator().run()"
        super().__init__(f"There is no index {index!r} on the server.", f"Create it with: {command}")
        self.index = index
        self.module = module


class CapabilityMissing(ServerError):
    """The server lacks a module or command that is needed."""


class OtherDatabase(CapabilityMissing):
    """Indexes are in database 0 alone, and so are the documents that queries find."""

    def __init__(self, database: int) -> None:
        super().__init__(
            f"Indexes can only be in database 0, and this is database {database}.",
            "Give the URL of database 0, as redis://host:6379/0",
        )


class FieldExpiryMissing(CapabilityMissing, NotImplementedError):
    """The server cannot let fields of hashes expire."""

    def __init__(self, said: str) -> None:
        super().__init__(
            f"The server cannot let fields of hashes expire: {said}",
            "That needs Redis 7.4 or Valkey 9. `om server` starts a server that can.",
        )


class EmbeddedServerError(RedstartError):
    """The scratch server cannot be found, started or stopped."""


class ValueConversionError(RedstartError):
    """A stored value cannot be read as its field's type; `reason` is one short phrase for reports."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RedisModelError(RedstartError):
    """A model class is declared in a way that cannot be stored."""


class DocumentError(RedstartError):
    """A document cannot be read or stored."""


class NotFoundError(DocumentError):
    """There is no such document."""


class WrongKeyType(DocumentError):
    """A document's key holds a value of another type; `key` is that key."""

    def __init__(self, key: str, expected: str) -> None:
        super().__init__(
            f"The key {key} holds no {expected}, so it is not a document of this model.",
            f"See what it is with: redis-cli TYPE '{key}'",
        )
        self.key = key


class QueryError(RedstartError):
    """A query was refused before anything was sent.

    `field` is the field as `Model.name` and `value` what it was compared with, where there are such; `code` is
    the number redis-om gives this error (`E1` to `E11`), or None for errors it does not have.
    """

    def __init__(
        self,
        message: str,
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
    """A query says something that has no meaning: a wrong operator or operand."""


class QueryNotSupportedError(QueryError):
    """A query has a meaning, and the index cannot answer it."""


class MigrationError(RedstartError):
    """A migration refused before it wrote anything, or failed."""


class UnknownMigration(MigrationError):
    """No migration has this id.

    `command` is the one that was given it: where only one migration is known, the hint completes it.
    """

    def __init__(self, migration_id: str, known: tuple[str, ...], command: str) -> None:
        super().__init__(
            f"There is no data migration {migration_id!r}. Known: {', '.join(known)}.",
            f"Type: {command} {known[0]}" if len(known) == 1 else "See them all with: om migrate-data status",
        )


class DataMigrationError(MigrationError):
    """A data migration that a project declares itself cannot be read or ordered; or the conversion of dates as a class
    has stopped, or left something."""


class SchemaMigrationError(MigrationError):
    """A schema migration that a project declares itself cannot be read or ordered."""


class PlanChanged(MigrationError):
    """Today's models ask for another conversion than the one that began."""


class UnsafeServer(MigrationError):
    """The server is set up so that it could lose what an undo needs."""


class CheckpointUnreadable(MigrationError):
    """Saved progress exists and cannot be understood."""


class CheckpointIncompatible(MigrationError):
    """Saved progress of another version of Redstart."""


class JournalDamaged(MigrationError):
    """The undo log holds fewer entries than were written to it."""


class RollbackUnfinished(MigrationError):
    """A rollback began and did not end; until it has, nothing else may write."""


class LeaseHeld(MigrationError):
    """Another run holds the lease and renews it."""


class LeaseLost(MigrationError):
    """Another run took the lease; this one stopped before its next write."""
