"""The session of a migration command: its connection, plan, and the context of its operations."""

import gc
import logging
import signal
import time
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from redstart.cli.model_loading import load_declarations
from redstart.cli.options import Settings
from redstart.cli.output import note, note_from_signal, warn
from redstart.commands.server_errors import is_refusal
from redstart.display import without_password
from redstart.effects import Op
from redstart.errors import AuthenticationError, CommandError, ConfigurationError, ServerConnectionError
from redstart.mapping.base_model import client_named
from redstart.mapping.model_info import ModelDeclaration, overlapping
from redstart.migrations.context import Context, Monitor
from redstart.migrations.data.plan import Plan
from redstart.migrations.data_migration import DataMigration
from redstart.migrations.date_migration import DateMigration
from redstart.migrations.indexes.plan import PlannedIndex
from redstart.migrations.integrity import require_intact
from redstart.migrations.lease_state import this_process
from redstart.migrations.server_checks import on_suitable_server
from redstart.migrations.state_keys import StateKeys
from redstart.next_steps import Command, Hint
from redstart.server.clients import open_like, open_sync, where_of_url
from redstart.server.pools import pool_of, where_of_pool
from redstart.server.sync_driver import SyncDriver
from redstart.settings import ZoneSetting
from redstart.values.timezones import NaiveTimezone, local_time_is_utc, local_time_title
from redstart.values.types import TemporalKind

T = TypeVar("T")

# A command prints its own messages: without a handler, Python would also print warnings of the library to stderr.
logging.getLogger("redstart").addHandler(logging.NullHandler())


@dataclass(slots=True)
class Session:
    """One command's connection and plan.

    Attributes:
        where: the URL of the server, without a password.
        zone_is_assumed: whether no setting names the zone of naive datetimes.
        writes: whether the command writes, which some servers do not permit.
    """

    driver: SyncDriver
    where: str
    zone_is_assumed: bool
    writes: bool
    _migration: DataMigration
    _server_is_known: bool = False

    @property
    def declarations(self) -> Sequence[ModelDeclaration]:
        """The models."""
        return self._migration.declarations

    @property
    def plan(self) -> Plan:
        """The plan for the models."""
        return self._migration.plan

    @property
    def naive_timezone(self) -> NaiveTimezone:
        """The zone of naive datetimes."""
        return self._migration.naive_timezone

    @property
    def keys(self) -> StateKeys:
        """The keys of the state on the server."""
        return self._migration.keys

    def migration(self, monitor: Monitor | None = None) -> DataMigration:
        """Return the migration with a context for one operation."""
        context = replace(self._migration.context, token=uuid.uuid4().hex, monitor=_with_notes(monitor))
        return replace(self._migration, context=context)

    def context(self, monitor: Monitor | None = None) -> Context:
        """Return the context of one operation."""
        return replace(self.migration(monitor).context, client=self.driver.client)

    def planned_indexes(self) -> list[PlannedIndex]:
        """Return the indexes of the models. Raises ConfigurationError if two models define one index differently."""
        return self._migration.planned_indexes()

    def require_intact(self, *, exempt: Collection[str] = ()) -> None:
        """Raise StateDamagedError if state that Redstart keeps on the server is missing or damaged. Reads only."""
        self.run(require_intact(self.keys, exempt=exempt))

    def run(self, operation: Op[T]) -> T:
        """Perform an operation. The first one also checks the server, and prints a warning about it.

        Raises:
            See `require_server`.
        """
        if self._server_is_known:
            return self.driver.run(operation)
        self._server_is_known = True
        return self.driver.run(on_suitable_server(operation, writes=self.writes, warn=warn))


def _with_notes(monitor: Monitor | None) -> Monitor:
    monitor = monitor or Monitor()
    monitor.waiting = note
    return monitor


def tune_garbage_collector() -> None:
    """Run the garbage collector less often: a run creates millions of small tuples, none of them in a cycle.

    Measured: a quarter less time. Modules imported so far live as long as the process, so they are not collected.
    """
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


@contextmanager
def open_session(
    settings: Settings, *, writes: bool = False, needs_models: bool = True, about_indexes: bool = False
) -> Iterator[Session]:
    """Import the models and make the plan; the connection is opened when it is first used.

    Args:
        writes: True for commands that write, to documents or to state.
        needs_models: False for commands that work on stored state. They import models, if any are given, only
            to find the server: with --url a rollback does not depend on the present code.
        about_indexes: True for commands that assign no keys to models: for them key prefixes may overlap.

    Raises:
        ConfigurationError: no models, overlapping key prefixes, models on different servers, a bad URL.
    """
    wanted = needs_models or (settings.models and not settings.url_is_explicit)
    declarations = load_declarations(settings.models) if wanted else []
    tune_garbage_collector()
    setting = ZoneSetting(settings.naive_timezone, settings.naive_timezone_from)
    migration = DateMigration.for_dates(
        declarations,
        setting.zone(),
        holder=this_process(),
        token=uuid.uuid4().hex,
        clock=time.monotonic,
        monitor=_with_notes(None),
        exclude_prefixes=settings.exclude_prefixes,
        exclusions_are_settings=settings.exclusions_are_settings,
        assigns_keys=needs_models and not about_indexes,
    )
    driver, where = _driver(settings, declarations)
    with driver:
        yield Session(driver, where, setting.said_in is None, writes, migration)


def _driver(settings: Settings, declarations: list[ModelDeclaration]) -> tuple[SyncDriver, str]:
    clients = {} if settings.url_is_explicit else _clients(settings.url, declarations)
    if len(clients) > 1:
        raise ConfigurationError(
            f"The models use different servers: {', '.join(sorted(clients))}.",
            "Migrate the models of each server on their own: --url URL --models MODULE",
        )
    for where, client in clients.items():
        if client is not None:
            return open_like(client), where
    return open_sync(settings.url), without_password(settings.url)


def _clients(url: str, declarations: list[ModelDeclaration]) -> dict[str, object]:
    """Return the clients in Meta.database by server; a model without one uses the URL."""
    clients: dict[str, object] = {}
    for declaration in declarations:
        client = client_named(declaration.model)
        where = where_of_url(url) if client is None else where_of_pool(pool_of(client))
        clients[where] = clients.get(where) or client
    return clients


@contextmanager
def resume_hint(command: Command) -> Iterator[None]:
    """Add to an error of the server how to resume `command`: the connection worked before."""
    try:
        yield
    except ServerConnectionError as exc:
        raise ServerConnectionError(
            exc.message,
            Hint("Progress is saved. When the server is available again, resume with: ", command),
        ) from exc
    except AuthenticationError as exc:
        if exc.next_step is None:
            hint = Hint("Progress is saved. Resume with: ", command)
        else:
            hint = Hint(exc.next_step, "\nThen resume with: ", command)
        raise AuthenticationError(exc.message, hint) from exc
    except CommandError as exc:
        if not is_refusal(exc):
            raise
        before = () if exc.next_step is None else (exc.next_step, "\n")
        hint = Hint(*before, "Progress is saved. Resume with: ", command)
        raise CommandError(exc.message, hint, code=exc.code) from exc


@contextmanager
def stop_on_signal(monitor: Monitor) -> Iterator[None]:
    """Let the first Ctrl-C or SIGTERM end a run between two batches, with its progress saved; the second at once."""
    asked = False

    def ask(*_: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        note_from_signal(
            "Stopping after the current batch; progress is saved. Press Ctrl-C again to abort immediately."
        )

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    monitor.stop_requested = lambda: asked
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


ASSUMED = (
    "Datetimes without an offset are interpreted as UTC, but local time is {}. redis-om 1.x stores local time. Set "
    "REDSTART_NAIVE_TIMEZONE before you convert or save anything: to a zone such as Europe/Berlin, to local, or (to "
    "silence this warning) to UTC."
)


def note_assumed_zone(session: Session) -> None:
    """Warn if no zone is set, local time is not UTC, and a model has datetimes."""
    if not session.zone_is_assumed or local_time_is_utc():
        return
    if any(path.kind is TemporalKind.DATETIME for model in session.plan.models for path in model.paths):
        warn(ASSUMED.format(local_time_title()))


def note_unused_exclusions(session: Session) -> None:
    """Warn of exclusions in pyproject.toml that concern no keys. One read, if there are any."""
    for text in session.run(session.migration().unused_exclusions()):
        warn(text)


def note_overlapping_prefixes(session: Session) -> list[dict[str, str]]:
    """Warn of each pair of models of one storage type with overlapping key prefixes. Return the pairs for --json."""
    found = []
    for outer, inner in overlapping(session.declarations):
        if outer.storage is not inner.storage:
            continue
        warn(
            f"prefix {outer.key_prefix} ({outer.name}) also matches the keys of {inner.name} ({inner.key_prefix}): "
            f"queries on {outer.name} also return documents of {inner.name}. Set another Meta.model_key_prefix in one "
            "of the models; stored documents keep their keys."
        )
        found.append(
            {
                "model": outer.name,
                "key_prefix": outer.key_prefix,
                "holds_model": inner.name,
                "holds_key_prefix": inner.key_prefix,
            }
        )
    return found
