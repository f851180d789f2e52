"""Migration files of redis-om, executed by commands: what is printed before, the calls, and the result."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from redstart.cli.exit_codes import Exit
from redstart.cli.options import Settings, confirm
from redstart.cli.output import Tone, counted, duration, line, note, print_json
from redstart.cli.redis_om_files import count_files, find, require_known
from redstart.cli.session import Session
from redstart.display import printable
from redstart.effects import Op
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION
from redstart.migrations.files.declarations import Declared, Kind
from redstart.migrations.files.loader import Found
from redstart.migrations.files.project_history import ProjectFiles
from redstart.migrations.files.redis_om_execution import (
    Executed,
    Execution,
    Steps,
    Undone,
    UserCall,
    UserCode,
    Watch,
    not_supported,
)
from redstart.migrations.lease import Lease, acquire
from redstart.migrations.outcomes import Outcome
from redstart.migrations.state_keys import FILES_LEASE
from redstart.next_steps import Hint
from redstart.server.project_code import ProjectCode

T = TypeVar("T")

OUTSIDE = "What they change is outside the undo log: only down() of the same file can undo it."


def files_lease(session: Session) -> Op[Lease]:
    """Acquire the lease of migration files."""
    context = session.context()
    return acquire(
        FILES_LEASE,
        context.token,
        context.holder,
        is_gone=context.is_gone,
        clock=context.clock,
        waiting=context.monitor.waiting,
    )


@dataclass(frozen=True, slots=True)
class RedisOmFiles:
    """Migration files of redis-om of one kind, and the server of a session.

    Attributes:
        found: the files.
        pending: those that are not recorded as applied, in order.
        verbose: whether to print the time of each.
    """

    session: Session
    settings: Settings
    kind: Kind
    found: Found
    pending: list[Declared]
    verbose: bool

    def ids(self) -> list[str]:
        """Return the ids of the pending files."""
        return [one.migration_id for one in self.pending]

    def announce(self, limit: int | None) -> list[Declared]:
        """Print on stderr which files a run executes, and that they are outside the undo log. Return them."""
        chosen = self.pending[:limit]
        if chosen:
            note(
                f"{counted(len(chosen), 'migration file')} of redis-om to run, in {printable(self.found.where)}:"
            )
            for one in chosen:
                note(f"  {printable(one.migration_id)}{': ' * bool(one.description)}{one.description}")
            note(OUTSIDE)
        return chosen

    def run(self, limit: int | None) -> Executed:
        """Apply pending files. Raises what `Execution.run` does."""
        if not self.pending[:limit]:
            return Executed()
        return perform(self.session, self.settings, self.execution().run(limit))

    def execution(self) -> Execution:
        """Return an execution of the files."""
        built_in = (DATETIME_MIGRATION,)
        return Execution(
            self.kind, self.found, built_in, files_lease(self.session), watch=_watch(verbose=self.verbose)
        )


def open_files(
    session: Session,
    settings: Settings,
    kind: Kind,
    directory: Path | None,
    module: str | None = None,
    *,
    verbose: bool = False,
) -> RedisOmFiles:
    """Load the migration files of redis-om, and read which are pending.

    Raises:
        DataMigrationError, SchemaMigrationError: a file that may be pending cannot be read, ordered or executed.
        UsageError, ConfigurationError: see `find`.
    """
    files = RedisOmFiles(session, settings, kind, find(kind, directory, module), [], verbose)
    files.pending.extend(session.run(files.execution().pending()))
    return files


def _watch(*, verbose: bool) -> Watch:
    started = time.monotonic()

    def start(migration_id: str) -> None:
        nonlocal started
        started = time.monotonic()
        note(f"{printable(migration_id)} ...")

    def end(migration_id: str) -> None:
        if verbose:
            note(f"{printable(migration_id)}: done in {duration(time.monotonic() - started)}")

    def leave(migration_id: str, reason: str) -> None:
        note(f"{printable(migration_id)} was skipped: {reason}.")

    return Watch(start, end, leave)


def perform(session: Session, settings: Settings, steps: Steps[T]) -> T:
    """Perform an execution: operations on the server of a session, and calls, sync and async."""
    with (
        ProjectCode(session.driver.pool) as project,
        contextlib.redirect_stdout(sys.stderr),
        _default_server(settings),
    ):
        code = UserCode(lambda one: project.client(is_async=one.is_async))
        try:
            step = next(steps)
            while True:
                try:
                    result = (
                        project.result(code.start(step)) if isinstance(step, UserCall) else session.run(step)
                    )
                except BaseException as exc:  # noqa: BLE001 - the execution releases its lease, and raises it again
                    step = steps.throw(exc)
                else:
                    step = steps.send(result)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]  # StopIteration does not carry the type


@contextlib.contextmanager
def _default_server(settings: Settings) -> Iterator[None]:
    """Let models and clients without a server of their own use that of --url, as the files are recorded there."""
    before = os.environ.get("REDIS_OM_URL")
    if settings.url_is_explicit:
        os.environ["REDIS_OM_URL"] = settings.url
    try:
        yield
    finally:
        if settings.url_is_explicit:
            _ = os.environ.pop("REDIS_OM_URL")
            os.environ.update({} if before is None else {"REDIS_OM_URL": before})


def draw_executed(executed: Executed) -> None:
    """Print the result of a run of files; nothing if there were none."""
    if executed.done:
        line(f"{counted(len(executed.done), 'migration file')} of redis-om applied.", Tone.DONE)
    for name, reason in executed.left.items():
        line(f"Still pending: {printable(name)}, because {reason}.", Tone.WARNING)


def exit_with_files(code: Exit, executed: Executed, kind: Kind) -> Exit:
    """Return the exit code of a run: 3 if it is done and files that it was to apply are still pending."""
    if code is not Exit.DONE or not executed.left:
        return code
    note(
        Hint(
            f"Exit code 3: {count_files(executed.left)} still pending. List the files with: ",
            kind.status_command,
        )
    )
    return Exit.PENDING


def run_first(
    session: Session,
    settings: Settings,
    kind: Kind,
    directory: Path,
    *,
    dry_run: bool,
    assume_yes: bool,
    verbose: bool = False,
) -> None:
    """Apply all pending files of redis-om of one kind before those of Redstart, which may depend on them.

    Args:
        directory: that of these files.
        dry_run: list them only.
        verbose: print the time of each.

    Raises:
        DataMigrationError, SchemaMigrationError: a file cannot be used, or failed.
    """
    files = open_files(session, settings, kind, directory, verbose=verbose)
    chosen = files.announce(None)
    if dry_run or not chosen:
        return
    confirm(
        f"Run {counted(len(chosen), 'migration file')} of redis-om on {files.session.where}?",
        assume_yes=assume_yes,
    )
    executed = files.run(None)
    if executed.error is not None:
        raise executed.error


def roll_back_file(
    session: Session,
    settings: Settings,
    kind: Kind,
    migration_id: str,
    directory: Path | None,
    module: str | None = None,
    *,
    project: Callable[[], ProjectFiles],
    dry_run: bool,
    assume_yes: bool,
    verbose: bool,
    as_json: bool,
) -> Exit:
    """Roll back one file of redis-om with its `down`. Return the exit code.

    Args:
        project: loads all migration files.

    Raises:
        UnknownMigrationError: there is no such migration.
        DataMigrationError, SchemaMigrationError: its file is missing or cannot be used; it has no `down`, or it failed.
    """
    files = RedisOmFiles(session, settings, kind, find(kind, directory, module), [], verbose)
    status = session.run(files.execution().status())
    _ = require_known(status, kind, migration_id, project)
    if migration_id not in status.recorded:
        return _report(
            Outcome.NOTHING_TO_DO, migration_id, f"{kind.name} migration is not applied", as_json=as_json
        )
    _ = session.run(files.execution().is_applied(migration_id))  # refuses before a question
    note(f"{printable(migration_id)} is rolled back by its own down(): there is no undo log of it.")
    if dry_run:
        return _report(
            Outcome.DRY_RUN, migration_id, "would be rolled back; nothing was written", as_json=as_json
        )
    confirm(f"Roll back {printable(migration_id)} on {session.where}?", assume_yes=assume_yes)
    undone = perform(session, settings, files.execution().roll_back(migration_id))
    if undone is Undone.NOT_SUPPORTED:
        raise not_supported(kind, files.found.migrations[migration_id])
    if undone is Undone.NOT_APPLIED:  # another run was faster
        return _report(Outcome.NOTHING_TO_DO, migration_id, "is not applied any more", as_json=as_json)
    return _report(Outcome.DONE, migration_id, "rolled back", as_json=as_json)


def _report(outcome: Outcome, migration_id: str, text: str, *, as_json: bool) -> Exit:
    if as_json:
        status = "completed" if outcome is Outcome.DONE else outcome.value  # as `om migrate-data rollback`
        print_json({"status": status, "id": migration_id})
    else:
        line(f"{printable(migration_id)}: {text}.", Tone.DONE)
    return Exit.DONE
