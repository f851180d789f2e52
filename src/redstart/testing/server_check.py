"""One migration file on an empty server: run, cleaned up, rolled back, interrupted at requests, and compared."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from redstart.commands.search import ft_list
from redstart.commands.server_info import command_known, info
from redstart.effects import Argument, Batch, Call, Op, batch, call
from redstart.errors import CommandError, ConfigurationError
from redstart.migrations.context import Context, Monitor
from redstart.migrations.data.results import RunOptions
from redstart.migrations.file_migration import FileMigration
from redstart.migrations.files.migration_file import Migration, MigrationFile
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.indexes.migrator import IndexMigration
from redstart.migrations.lease_state import Holder, this_process
from redstart.migrations.operations.document import Document
from redstart.migrations.operations.models import CreateModel
from redstart.migrations.operations.state import ProjectState
from redstart.migrations.outcomes import Outcome
from redstart.testing.interruptions import Interruption, interrupted
from redstart.testing.snapshot import STATE_PREFIXES, Snapshot, difference, read_snapshot
from redstart.values.types import Storage

EXPIRES_AT_MS = 4_102_444_800_000
"""2100-01-01: the expiry of each document; that of its fields is one millisecond later."""

MAX_SHOWN = 10

Step: TypeAlias = tuple[str, Callable[[], Op[None]]]
"""A step of a check, with its name."""


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """Options of a check.

    Attributes:
        interruptions: at how many requests of each step; None: at all of them, in each way.
        rolls_back: whether the file is rolled back.
        allows_failures: whether values may stay that cannot be changed.
    """

    interruptions: int | None
    rolls_back: bool = True
    allows_failures: bool = False


@dataclass(frozen=True, slots=True)
class ServerCheck:
    """The check of one file.

    Attributes:
        documents: before the migration, by key.
        client: opens a client for the functions of the file.
    """

    migration: FileMigration
    documents: Mapping[bytes, Document]
    client: Callable[[], AbstractContextManager[Any]]
    options: CheckOptions

    def perform(self) -> Op[Snapshot]:
        """Check the file, and return the documents after it.

        Raises:
            AssertionError: a step is not complete, ends with other documents after an interruption, or the rollback
                does not restore the documents.

        Effects: empties the database, several times.
        """
        before = after = yield from self._load()
        steps: list[Step] = [("run", self._expand), ("cleanup", self._clean_up)]
        if self.options.rolls_back:
            steps.append(("rollback", self._roll_back))
        for number, (name, work) in enumerate(steps):
            requests: list[str] = []
            yield from self._load_and(steps[:number])
            _ = yield from interrupted(work(), None, Interruption.STOPPED_BEFORE, requests)
            found = yield from _documents()
            if name == "rollback":
                _require_equal(before, found, "The rollback does not restore the documents")
            else:
                after = found
            for at, how in points(len(requests), self.options.interruptions):
                yield from self._load_and(steps[:number])
                _ = yield from interrupted(work(), at, how)
                yield from work()
                place = f"{how.value} request {at + 1} of {len(requests)} ({requests[at]})"
                message = f"After a {name} that was {place} and then repeated, there are other documents"
                _require_equal(found, (yield from _documents()), message)
        yield from empty_database()
        return after

    def _load_and(self, steps: Sequence[Step]) -> Op[None]:
        """Write the documents before the migration, and perform some steps."""
        _ = yield from self._load()
        for _, work in steps:
            yield from work()

    def _load(self) -> Op[Snapshot]:
        """Write the documents and the indexes before the migration to an empty database, and return the documents."""
        yield from empty_database()
        before = self.migration.before
        file = MigrationFile(
            "before", "", "", "", Migration((), [CreateModel(one) for one in before.models.values()])
        )
        commands: list[tuple[Argument, ...]] = []
        has_field_expiry = yield from call(command_known("HPEXPIREAT"))
        for key, document in self.documents.items():
            commands += write_commands(key, document, has_field_expiry=has_field_expiry)
        for reply in (yield from batch(Batch(commands, list))) if commands else []:
            if isinstance(reply, CommandError):
                raise reply
        creation = replace(self, migration=FileMigration.of(file, ProjectState()))
        yield from creation._expand()
        return (yield from _documents())

    def _clean_up(self) -> Op[None]:
        context = self._context()
        data = yield from self.migration.contract(context, RunOptions())
        stored = yield from self.migration.contract_storage(context)
        used = self.migration.after
        removed = yield from self.migration.remove_models(context, _indexes(context), used)
        for one in (data, *stored, *removed):
            if one is not None and one.stopped is not None:
                raise AssertionError(f"The cleanup stopped: {one.stopped}")

    def _expand(self) -> Op[None]:
        context = self._context()
        result = yield from self.migration.run(context, RunOptions(), _indexes(context), ExpansionOptions())
        if not result.is_complete:
            reasons = [result.stopped] if result.stopped is not None else []
            reasons += [f"the cutover of {one.name} was refused" for one in result.indexes if one.is_refused]
            raise AssertionError(f"The run is not complete: {'; '.join(reasons) or result.outcome.value}")
        if result.failures.count and not self.options.allows_failures:
            examples = "; ".join(map(str, result.failures.first[:MAX_SHOWN]))
            raise AssertionError(f"The run could not change {result.failures.count} values: {examples}")

    def _roll_back(self) -> Op[None]:
        context = self._context()
        result = yield from self.migration.roll_back(context, _indexes(context), ExpansionOptions())
        data = result.data
        allowed = (Outcome.DONE, Outcome.PROBLEMS_FOUND) if self.options.allows_failures else (Outcome.DONE,)
        if result.outcome not in allowed:
            stopped = "" if data is None or data.stopped is None else f": {data.stopped}"
            raise AssertionError(f"The rollback is not complete: {result.outcome.value}{stopped}")

    def _context(self) -> Context:
        """Return the context of a new process, to which all earlier ones have ended."""
        token = uuid.uuid4().hex
        holder = replace(this_process(), command=f"MigrationTest {token}")

        def is_gone(other: Holder) -> bool:
            return other != holder

        transformation = self.migration.transformation()
        return Context(transformation, holder, token, time.monotonic, Monitor(), is_gone, self.client)


def require_empty() -> Op[None]:
    """Raise ConfigurationError if a server has keys in any database, or search indexes. Reads only."""
    keyspace = yield from call(info("keyspace"))
    indexes = (yield from call(ft_list())) if (yield from call(command_known("FT._LIST"))) else []
    found = [f"{name}: {counts}" for name, counts in sorted(keyspace.items())]
    if indexes:
        found.append("1 search index" if len(indexes) == 1 else f"{len(indexes)} search indexes")
    if found:
        raise ConfigurationError(
            f"The server is not empty ({'; '.join(found)}). Tests would delete everything on it.",
            "Use a server for tests only, and empty it with: redis-cli FLUSHALL",
        )


def empty_database() -> Op[None]:
    """Delete all keys and indexes of a server."""
    _ = yield from call(Call(("FLUSHALL", "SYNC"), lambda reply: reply))


def write_commands(
    key: bytes, document: Document, *, has_field_expiry: bool
) -> Iterator[tuple[Argument, ...]]:
    """Yield the commands that store a document with expiries."""
    if document.storage is Storage.JSON:
        yield ("JSON.SET", key, "$", document.json_text())
    elif document.root:
        yield ("HSET", key, *(word for field in document.root.items() for word in field))
        if has_field_expiry:
            names = list(document.root)
            yield ("HPEXPIREAT", key, EXPIRES_AT_MS + 1, "FIELDS", len(names), *names)
    yield ("PEXPIREAT", key, EXPIRES_AT_MS)


def points(count: int, limit: int | None) -> list[tuple[int, Interruption]]:
    """Return up to `limit` of some requests, evenly spread, each with another kind of interruption.

    None: all requests, each with all kinds.
    """
    kinds = list(Interruption)
    if limit is None:
        return [(at, how) for at in range(count) for how in kinds]
    chosen = range(count) if limit >= count else [number * count // limit for number in range(limit)]
    return [(at, kinds[number % len(kinds)]) for number, at in enumerate(chosen)]


def _documents() -> Op[Snapshot]:
    """Return all keys without the state of migrations, and without the records of indexes that redis-om has, too."""
    found = yield from read_snapshot(STATE_PREFIXES)
    return {
        key: entry for key, entry in found.items() if not key.endswith((b":index:hash", b":index:schema"))
    }


def _require_equal(before: Snapshot, after: Snapshot, message: str) -> None:
    lines = difference(before, after)
    if lines:
        more = len(lines) - MAX_SHOWN
        shown = lines[:MAX_SHOWN] + ([f"... and {more} more"] if more > 0 else [])
        raise AssertionError("\n  ".join([f"{message}:", *shown]))


def _indexes(context: Context) -> IndexMigration:
    return IndexMigration(context.holder, context.token, context.clock, context.monitor, context.is_gone)
