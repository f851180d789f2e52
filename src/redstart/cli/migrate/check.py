"""`om migrate check`: whether models, migration files and server agree."""

import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click

from redstart.cli.exit_codes import Exit
from redstart.cli.migrate.project_files import (
    cleanup_pending,
    difference_report,
    draw_cleanup_pending,
    draw_differences,
    file_migrations,
    look,
    migrations_root,
    require_intact_files,
    root_of,
)
from redstart.cli.migrate.undeclared_changes import find_changes
from redstart.cli.options import Settings, common
from redstart.cli.output import Tone, line, print_json
from redstart.cli.session import Session, open_session
from redstart.display import printable
from redstart.errors import MigrationError
from redstart.migrations.data.damage import LISTS
from redstart.migrations.files.autodetector import detect
from redstart.migrations.files.declarations import DATA, SCHEMA
from redstart.migrations.files.graph import state_after
from redstart.migrations.files.project_history import Difference, DifferenceKind, ProjectFiles
from redstart.migrations.indexes.status import ActiveIndex, index_statuses
from redstart.migrations.operations.state import state_of_models
from redstart.migrations.server_checks import require_search
from redstart.next_steps import Command, Hint


@click.command()
@migrations_root()
@common
def check(settings: Settings, migrations_dir: Path | None, as_json: bool) -> int:
    """Compare the models with the migration files, and both with the server. Exit with 3 if they differ.

    Writes nothing. Without migration files, the indexes are compared with the models.
    """
    with open_session(settings, about_indexes=True) as session:
        session.require_intact(exempt=LISTS)
        files = look(session, root_of(migrations_dir))
        require_intact_files(session, files)
        found = [
            *files.history.differences(),
            *_of_names(session, files),
            *_of_redis_om(files),
            *_of_models(session, files),
            *_of_indexes(session),
            *_of_documents(session, files),
        ]
        to_clean_up = cleanup_pending(session, files)
    if as_json:
        print_json(
            {
                "differences": [difference_report(one) for one in found],
                "cleanup_pending": to_clean_up,
            }
        )
    elif found:
        draw_differences(found)
    else:
        line("No differences between models, migration files and server.", Tone.DONE)
    if not as_json:
        draw_cleanup_pending(to_clean_up)
    return Exit.PENDING if found else Exit.DONE


def _of_names(session: Session, files: ProjectFiles) -> Iterator[Difference]:
    """Yield the pending files that use a name again which another file still needs."""
    if files.history.problems or len(files.history.heads) > 1:
        return
    with suppress(MigrationError):  # of an operation that does not fit: `_of_models` reports it
        yield from file_migrations(session, files).names_in_use()


def _of_redis_om(files: ProjectFiles) -> Iterator[Difference]:
    """Yield the files of redis-om that are pending or cannot be used."""
    for kind in (SCHEMA, DATA):
        status = files.redis_om[kind.name]
        hint = Hint("See: ", kind.status_command, f" --migrations-dir {shlex.quote(printable(status.where))}")
        for problem in status.problems:
            message = f"A {kind.name} migration file of redis-om cannot be used. {problem}"
            yield Difference(DifferenceKind.UNUSABLE, problem.migration_id, message, hint)
        for one in status.pending:
            message = f"{printable(one.migration_id)}, a {kind.name} migration of redis-om, is pending."
            yield Difference(DifferenceKind.PENDING, one.migration_id, message, hint)


def _of_models(session: Session, files: ProjectFiles) -> Iterator[Difference]:
    """Yield the changes of the models that are in no file; none in a project without files."""
    history = files.history
    if not files.loaded.are_in_use or history.problems or len(history.heads) > 1:
        return
    hint = Hint("Write the changes to a file with: ", Command("migrate create", "NAME"))
    try:
        found = detect(state_after(history.files), state_of_models(session.declarations))
    except MigrationError as exc:
        yield Difference(DifferenceKind.MODELS, None, exc.message, exc.next_step or hint)
        return
    texts = [one.describe() for one in found.operations] + [str(one) for one in found.questions]
    for text in texts:
        yield Difference(DifferenceKind.MODELS, None, f"In the models, and in no file: {text}", hint)


def _of_documents(session: Session, files: ProjectFiles) -> Iterator[Difference]:
    """Yield the changes of the models that documents need and no file makes."""
    for one in find_changes(session, files):
        yield Difference(DifferenceKind.DOCUMENTS, None, one.message, one.hint)


def _of_indexes(session: Session) -> Iterator[Difference]:
    """Yield the indexes that differ from their models."""
    planned = session.planned_indexes()
    if not planned:
        return
    session.run(require_search())
    for one in session.run(index_statuses(planned)):
        if one.active is ActiveIndex.UP_TO_DATE:
            continue
        changes = "; ".join(map(str, one.pending.changes)) if one.pending is not None else ""
        yield Difference(
            DifferenceKind.INDEX,
            None,
            f"The index {one.planned.name} of {one.planned.model} is {one.active.value}"
            f"{f': {changes}' if changes else ''}.",
            Hint("See what would change with: ", Command("migrate run", "--dry-run")),
        )
